/* sendMessage. (fetchMessages, which shares everything with fetchConversation, is in
 * conversations.c.) */
#ifndef PL_API_MESSAGES_H
#define PL_API_MESSAGES_H

/* Called by pl_api_metrics_init. */
void pl_messages_metrics_init(void);

/* A send was answered before all copies were stored. */
void pl_messages_count_pending(void);

#endif
