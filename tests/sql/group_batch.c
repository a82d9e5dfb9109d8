/*
 * Groups a batch of sends exactly as the server does (src/store/message_write.c), for the SQL
 * tests.
 *
 * stdin:  one operation a line: mailbox_id peer_id sender_id message_id received_us copy_mode
 * stdout: the parameters of parley.write_messages, one a line, as PostgreSQL array literals. Each
 *         key and content is the number of its operation, from 1 on. All mailboxes have waiters.
 *
 * helpers.sql runs it as the server of the database, by COPY TO PROGRAM.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/message_write.h"

#define PARAMETERS 20

/* Type OIDs of elements. */
enum { TYPE_BOOL = 16, TYPE_INT8 = 20, TYPE_INT4 = 23, TYPE_TEXT = 25 };

static void fail(const char *what)
{
    fprintf(stderr, "group_batch: %s\n", what);
    exit(1);
}

static int32_t read_int32(const char **at)
{
    uint32_t value;

    memcpy(&value, *at, sizeof(value));
    *at += sizeof(value);
    return (int32_t)ntohl(value);
}

static void print_element(int type, const char *value, int length)
{
    uint64_t wide = 0;

    switch (type) {
    case TYPE_BOOL:
        putchar(*value ? 't' : 'f');
        break;
    case TYPE_INT4:
        printf("%" PRId32, read_int32(&value));
        break;
    case TYPE_INT8:
        memcpy(&wide, value, sizeof(wide));
        printf("%" PRId64, (int64_t)be64toh(wide));
        break;
    case TYPE_TEXT:
        printf("%.*s", length, value);
        break;
    default:
        fail("an array of another type");
    }
}

/* An array in PostgreSQL's binary form: dimensions, flags, type; of the dimension size and lower
 * bound; then the elements, each with its length. */
static void print_array(const char *at)
{
    int32_t dimensions = read_int32(&at), count = 0;

    at += sizeof(int32_t);
    int type = read_int32(&at);
    if (dimensions > 0) {
        count = read_int32(&at);
        at += sizeof(int32_t);
    }
    putchar('{');
    for (int32_t i = 0; i < count; i++) {
        int32_t length = read_int32(&at);
        if (length < 0)
            fail("an element is null");
        if (i > 0)
            putchar(',');
        print_element(type, at, length);
        at += length;
    }
    puts("}");
}

/* False at the end of the input. */
static bool read_operation(pl_message_write_t *write, size_t number)
{
    int copy_mode;
    char *text = pl_malloc(24);
    int found = scanf("%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %d",
                      &write->mailbox_id, &write->peer_id, &write->sender_id, &write->message_id,
                      &write->received_us, &copy_mode);

    if (found == EOF)
        return false;
    if (found != 6)
        fail("a line is no operation");
    write->copy_mode = (enum pl_copy_mode)copy_mode;
    write->has_waiters = write->sender_has_waiters = true;
    write->content_len = write->client_message_id_len = (size_t)snprintf(text, 24, "%zu", number);
    write->content = write->client_message_id = text;
    return true;
}

int main(void)
{
    size_t count = 0, capacity = 64;
    pl_message_write_t *writes = pl_calloc(capacity, sizeof(*writes));
    pl_params_t params = {0};

    while (read_operation(&writes[count], count + 1)) {
        if (++count == capacity) {
            writes = pl_realloc(writes, 2 * capacity * sizeof(*writes));
            memset(writes + capacity, 0, capacity * sizeof(*writes));
            capacity *= 2;
        }
    }
    pl_op_t **ops = pl_calloc(count + 1, sizeof(*ops));
    for (size_t i = 0; i < count; i++)
        ops[i] = &writes[i].op;
    pl_message_write_kind.encode(&params, ops, count);
    if (params.count != PARAMETERS)
        fail("write_messages has other parameters");
    for (int i = 0; i < params.count; i++)
        print_array(params.data.data + params.offsets[i]);
    return 0;
}
