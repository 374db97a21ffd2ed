/* test_instruct.c - records as sequences: what is an input, what is a target, each record once; what does not fit. */
#include <fpx/file.h>
#include <fpx/train.h>

#include "tiny_run.h"

enum { T = 8, RECORDS = 5 };

static char path[64];

static fpx_experiment experiment_of(const char *text)
{
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);

    MUST(fpx_file_write(path, text, strlen(text), err));
    e.data.corpus = path;
    e.data.kind = FPX_DATA_INSTRUCT;
    e.data.sequence = T;
    e.data.batch = 1;
    e.data.validation = 0.4;
    return e;
}

static const char good[] = "{\"prompt\": \"a\", \"response\": \"b\"}\n"
                           "{\"response\": \"RST\", \"id\": 7, \"prompt\": \"pqr\"}\n"
                           "\n \t\r\n"
                           "{\"prompt\":\"12345678\",\"response\":\"9\"}   \n"
                           "{\"prompt\":\"\\u00e9\",\"response\":\"\\n\"}\n"
                           "{\"prompt\":\"x\",\"response\":\"1234567\"}";

/* By hand: inputs are all tokens but the last; targets begin where the response does, and end with 0. */
static const struct {
    int32_t tokens[T], targets[T];
} expected[RECORDS] = {
    { { 'a', 'b', 0, 0, 0, 0, 0, 0 }, { 'b', 0, -1, -1, -1, -1, -1, -1 } },
    { { 'p', 'q', 'r', 'R', 'S', 'T', 0, 0 }, { -1, -1, 'R', 'S', 'T', 0, -1, -1 } },
    { { '1', '2', '3', '4', '5', '6', '7', '8' }, { -1, -1, -1, -1, -1, -1, -1, '9' } },
    { { 0xc3, 0xa9, '\n', 0, 0, 0, 0, 0 }, { -1, '\n', 0, -1, -1, -1, -1, -1 } },
    { { 'x', '1', '2', '3', '4', '5', '6', '7' }, { '1', '2', '3', '4', '5', '6', '7', 0 } },
};

static size_t which(const int32_t *tokens, const int32_t *targets)
{
    for (size_t r = 0; r < RECORDS; r++)
        if (memcmp(tokens, expected[r].tokens, sizeof expected[r].tokens) == 0 &&
            memcmp(targets, expected[r].targets, sizeof expected[r].targets) == 0)
            return r;
    ck_abort_msg("a sequence that is no record");
    return 0;
}

START_TEST(records_are_sequences)
{
    fpx_experiment e;
    fpx_corpus *corpus;
    int32_t tokens[T], targets[T];
    unsigned seen = 0;

    /* The third has ten tokens with its end: one too many for 8 inputs. */
    e = experiment_of(good);
    REFUSED(fpx_corpus_new(&e, &corpus, err), FPX_EINVAL,
            ":5: prompt, response and end are 10 tokens");
    e = experiment_of(good);
    e.data.sequence = T + 1;
    MUST(fpx_corpus_new(&e, &corpus, err));
    ck_assert_uint_eq(fpx_corpus_train_steps(corpus), 3);
    ck_assert_uint_eq(fpx_corpus_valid_batches(corpus), 2);
    for (size_t i = 0; i < 5; i++) {
        int32_t row[T + 1], goal[T + 1];

        i < 3 ? fpx_corpus_train(corpus, i, row, goal) : fpx_corpus_valid(corpus, i - 3, row, goal);
        memcpy(tokens, row, sizeof tokens);
        memcpy(targets, goal, sizeof targets);
        if (row[0] == '1') { /* the long one: its last input is '9', its last target the end */
            ck_assert_int_eq(row[T], '9');
            ck_assert_int_eq(goal[T], 0);
        } else {
            ck_assert_int_eq(row[T], 0);
            ck_assert_int_eq(goal[T], -1);
        }
        const size_t r = which(tokens, targets);

        if (i >= 3 && r != i) /* validation: the last records, in order */
            ck_abort_msg("record %zu in place %zu", r, i);
        seen |= 1U << r;
    }
    ck_assert_uint_eq(seen, 31);
    fpx_corpus_free(corpus);
}
END_TEST

START_TEST(what_is_no_record)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "", "has no records" },
        { "\n\n", "has no records" },
        { "[1]\n", ":1: expected" },
        { "{\"prompt\": \"a\", \"response\": \"b\"}\n{\"prompt\": \"a\"}", ":2: expected" },
        { "{\"prompt\": \"a\", \"response\": 3}", ":1: expected" },
        { "{\"prompt\": \"\", \"response\": \"b\"}", ":1: the prompt is empty" },
        { "{\"prompt\": \"a\", \"response\": \"b\"", ":1: " },
        { "{\"prompt\": \"a\", \"response\": \"b\"} x", ":1: " },
        { "{\"prompt\": \"a\", \"prompt\": \"c\", \"response\": \"b\"}",
          ":1: a key is given twice" },
        { "{\"prompt\": \"a\\u0000\", \"response\": \"b\"}", ":1: " },
        { "{\"prompt\": \"\xff\", \"response\": \"b\"}", ":1: " },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fpx_experiment e = experiment_of(bad[i].text);
        fpx_corpus *corpus = NULL;

        REFUSED(fpx_corpus_new(&e, &corpus, err), FPX_EFORMAT, bad[i].words);
    }
    fpx_experiment e = experiment_of("{\"prompt\": \"a\", \"response\": \"b\"}\n");
    fpx_corpus *corpus = NULL;

    REFUSED(fpx_corpus_new(&e, &corpus, err), FPX_EINVAL, "1 records are too short");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("instruct");
    TCase *tc = tcase_create("instruct");
    SRunner *runner;
    int failed, fd;

    (void)snprintf(path, sizeof path, "/tmp/fpx-instruct-XXXXXX");
    if ((fd = mkstemp(path)) < 0 || close(fd) != 0)
        return EXIT_FAILURE;
    tcase_add_test(tc, records_are_sequences);
    tcase_add_test(tc, what_is_no_record);
    suite_add_tcase(s, tc);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    (void)unlink(path);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
