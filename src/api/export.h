/* Exports under way on one loop; the handler is in handlers.h. */
#ifndef PL_API_EXPORT_H
#define PL_API_EXPORT_H

typedef struct pl_exports pl_exports_t;

/* On the loop's thread; lives as long as the loop. Never NULL. */
pl_exports_t *pl_exports_create(void);

#endif
