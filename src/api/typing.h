/* sendTyping: see typing.c. Its routes are declared in context.h. */
#ifndef PL_API_TYPING_H
#define PL_API_TYPING_H

/* Registers the counters; once, before any request. */
void pl_typing_metrics_init(void);

#endif
