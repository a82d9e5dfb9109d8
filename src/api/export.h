/* exportMe: the exports of one loop. The routes are declared in context.h. */
#ifndef PL_API_EXPORT_H
#define PL_API_EXPORT_H

typedef struct pl_exports pl_exports_t;

/* Never NULL. */
pl_exports_t *pl_exports_create(void);

#endif
