/* Proves of the load generator: quantiles are within 1 % of the exact ones, Zipf numbers have the
 * frequencies that their definition says, HTTP/1.1 answers are read in pieces of any size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "load/h1_parser.h"
#include "load/histogram.h"
#include "load/zipf.h"
#include "testing.h"

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void assert_near(int64_t measured, int64_t exact)
{
    if (llabs(measured - exact) * 100 > exact)
        fail_msg("%lld is not within 1 %% of %lld", (long long)measured, (long long)exact);
}

static void test_quantiles_are_within_one_percent(void **state)
{
    static const double shares[] = {0.001, 0.5, 0.9, 0.99, 0.999, 1};
    enum { COUNT = 100001 };
    int64_t *values = pl_reallocarray(NULL, COUNT, sizeof(*values));
    pl_load_histogram_t *histogram = pl_calloc(1, sizeof(*histogram));

    (void)state;
    /* Evenly over the magnitudes, from 1 us to 12 days. */
    for (int i = 0; i < COUNT; i++) {
        values[i] = (int64_t)pow(2, (double)pl_random_below(40000) / 1000);
        pl_load_histogram_add(histogram, values[i]);
    }
    qsort(values, COUNT, sizeof(*values), compare);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        size_t rank = (size_t)ceil(shares[i] * COUNT);
        assert_near(pl_load_histogram_quantile(histogram, shares[i]), values[rank - 1]);
    }
    assert_int_equal(histogram->max, values[COUNT - 1]);
    free(values);
    free(histogram);
}

static void test_every_bucket_holds_its_values(void **state)
{
    pl_load_histogram_t *histogram = pl_calloc(1, sizeof(*histogram));

    (void)state;
    for (int64_t value = 0; value < INT64_C(1) << 42; value += 1 + value / 1000) {
        memset(histogram, 0, sizeof(*histogram));
        pl_load_histogram_add(histogram, value);
        if (value < INT64_C(1) << 41)
            assert_near(pl_load_histogram_quantile(histogram, 0.5), value);
    }
    free(histogram);
}

static void test_few_values_are_exact(void **state)
{
    pl_load_histogram_t *histogram = pl_calloc(2, sizeof(*histogram));

    (void)state;
    assert_int_equal(pl_load_histogram_quantile(histogram, 0.99), 0);
    for (int value = 1; value <= 100; value++)
        pl_load_histogram_add(&histogram[value % 2], value);
    pl_load_histogram_merge(&histogram[0], &histogram[1]);
    assert_int_equal(histogram[0].count, 100);
    assert_int_equal(pl_load_histogram_quantile(histogram, 0.5), 50);
    assert_int_equal(pl_load_histogram_quantile(histogram, 0.99), 99);
    assert_int_equal(pl_load_histogram_quantile(histogram, 1), 100);
    pl_load_histogram_add(histogram, -1);
    assert_int_equal(pl_load_histogram_quantile(histogram, 0), 0);
    pl_load_histogram_add(histogram, INT64_MAX);
    assert_true(histogram->max == INT64_MAX);
    free(histogram);
}

/* Each number's frequency within six standard deviations. */
static void check_zipf(uint32_t count)
{
    enum { DRAWS = 1000000 };
    uint32_t *seen = pl_calloc(count, sizeof(*seen));

    for (int i = 0; i < DRAWS; i++) {
        uint32_t number = pl_load_zipf_draw(count);
        assert_true(number < count);
        seen[number]++;
    }
    for (uint32_t i = 0; i < count; i++) {
        double expected = DRAWS * log1p(1 / (i + 1.0)) / log(count + 1.0);
        if (fabs(seen[i] - expected) > 6 * sqrt(expected) + 6)
            fail_msg("of %u: %u came %u times instead of %.1f", count, i, seen[i], expected);
    }
    free(seen);
}

static void test_zipf_frequencies(void **state)
{
    (void)state;
    check_zipf(1000);
    check_zipf(7);
    check_zipf(1);
}

static const char answers[] = "HTTP/1.1 201 Created\r\ncontent-length: 5\r\nX: y\r\n\r\nhello"
                              "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"
                              "HTTP/1.1 100 Continue\r\n\r\n"
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n"
                              "HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

typedef struct reader {
    pl_load_h1_parser_t parser;
    pl_buffer_t heard; /* "status body;" for each answer */
    pl_buffer_t body;
} reader_t;

static void feed(reader_t *reader, const char *data, size_t len)
{
    pl_load_h1_piece_t piece;

    while (len > 0) {
        ssize_t taken = pl_load_h1_parse(&reader->parser, data, len, &piece);
        assert_true(taken > 0 && (size_t)taken <= len);
        pl_buffer_append(&reader->body, piece.body, piece.body_len);
        if (piece.done) {
            pl_buffer_appendf(&reader->heard, "%d %s%s;", reader->parser.status,
                              pl_buffer_terminate(&reader->body),
                              reader->parser.closes ? " closes" : "");
            pl_buffer_clear(&reader->body);
        }
        data += taken;
        len -= (size_t)taken;
    }
}

static void test_answers_in_any_pieces(void **state)
{
    static const char expected[] = "201 hello;304 ;200 abc0123456789;503  closes;";
    size_t len = sizeof(answers) - 1;

    (void)state;
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second += 7) {
            reader_t reader = {0};
            feed(&reader, answers, first);
            feed(&reader, answers + first, second - first);
            feed(&reader, answers + second, len - second);
            assert_string_equal(pl_buffer_terminate(&reader.heard), expected);
            pl_load_h1_parser_dispose(&reader.parser);
            pl_buffer_dispose(&reader.heard);
            pl_buffer_dispose(&reader.body);
        }
    }
}

static void test_refuses_malformed_answers(void **state)
{
    static const char *const wrong[] = {
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        pl_load_h1_parser_t parser = {0};
        pl_load_h1_piece_t piece;
        const char *data = wrong[i];
        ssize_t taken = 0;
        while (*data != '\0' &&
               (taken = pl_load_h1_parse(&parser, data, strlen(data), &piece)) >= 0)
            data += taken;
        if (taken >= 0)
            fail_msg("took '%s'", wrong[i]);
        pl_load_h1_parser_dispose(&parser);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_are_within_one_percent),
        cmocka_unit_test(test_every_bucket_holds_its_values),
        cmocka_unit_test(test_few_values_are_exact),
        cmocka_unit_test(test_zipf_frequencies),
        cmocka_unit_test(test_answers_in_any_pieces),
        cmocka_unit_test(test_refuses_malformed_answers),
    };
    return RUN_TESTS(tests);
}
