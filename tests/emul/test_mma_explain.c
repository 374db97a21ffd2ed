/* test_mma_explain.c - fpx/mma_explain.h: MMA-Sim's table 8 as it is told on Ampere and on Hopper, what is refused, and the
 * place of an element. mma_explained.py judges every number of every kind of model. */
#include <check.h>
#include <stdint.h>
#include <string.h>

#include <fpx/mma_explain.h>

enum { EVENTS = 64 };

typedef struct story {
    fpx_mma_event event[EVENTS];
    size_t n;
} story;

static void listen(void *user, const fpx_mma_event *event)
{
    story *const s = user;

    if (s->n == EVENTS)
        ck_abort_msg("more events than the test expects");
    s->event[s->n++] = *event;
}

/* c = 2^23, products -2^23, -0.5, -0.25, -0.125, in fp16. */
static const uint16_t a_codes[] = { 0xec00, 0xbc00, 0xb800, 0xb400 };
static const uint16_t b_codes[] = { 0x6800, 0x3800, 0x3800, 0x3800 };
static const uint32_t c_code = 0x4b000000;

static fpx_mma_call table8(void)
{
    fpx_mma_call call = { .m = 1, .n = 1, .k = 4, .c = &c_code, .c_format = fpx_fp32 };

    call.a = (fpx_mma_operand){
        .format = fpx_fp16, .codes = a_codes, .stride_vector = 4, .stride_k = 1
    };
    call.b = call.a;
    call.b.codes = b_codes;
    call.stride_d = 1;
    return call;
}

static fpx_mma_preset preset(const char *name)
{
    fpx_mma_preset p;

    if (fpx_mma_preset_find(name, &p, NULL) != FPX_OK)
        ck_abort_msg("no preset %s", name);
    return p;
}

static void check_value(const fpx_mma_value *x, int negative, uint64_t m, int q)
{
    ck_assert_uint_eq(x->kind, FPX_MMA_VALUE_FINITE);
    ck_assert_int_eq(x->negative, negative);
    ck_assert_uint_eq(x->m, m);
    ck_assert_int_eq(x->q, q);
    ck_assert_int_eq(x->more, 0);
}

/* Ampere keeps 24 bits below 2^23: of -0.25 and -0.125 nothing is left; Hopper's 25 keep -0.25. */
START_TEST(table_8)
{
    const struct {
        const char *name;
        int at;
        uint64_t kept_quarter; /* of -0.25, in units of 2^-2 */
        uint64_t sum;          /* magnitude, in units of 2^at */
        uint32_t result;
    } cases[] = { { "ampere/mma.sync/fp16-fp32", -1, 0, 1, 0xbf000000 },
                  { "hopper/mma.sync/fp16-fp32", -2, 1, 3, 0xbf400000 } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fpx_mma_preset p = preset(cases[i].name);
        const fpx_mma_call call = table8();
        story s = { .n = 0 };
        uint64_t code = 0;
        ck_assert_int_eq(fpx_mma_explain(&p.model, &call, 0, 0, listen, &s, &code, NULL), FPX_OK);
        ck_assert_uint_eq(code, cases[i].result);
        ck_assert_uint_eq(s.n, 1 + 4 + 5 + 1 + 1); /* block, products, terms, sum, rounding */
        ck_assert_uint_eq(s.event[0].kind, FPX_MMA_EVENT_BLOCK);
        ck_assert_uint_eq(s.event[0].c.code, c_code);
        const fpx_mma_event *const c = &s.event[5], *const quarter = &s.event[8];
        ck_assert_uint_eq(c->kind, FPX_MMA_EVENT_TERM);
        ck_assert_uint_eq(c->part, FPX_MMA_PART_C);
        ck_assert_int_eq(c->e, 23);
        ck_assert_int_eq(c->at, cases[i].at);
        check_value(&quarter->exact, 1, 1, -2);
        check_value(&quarter->kept, cases[i].kept_quarter != 0, cases[i].kept_quarter,
                    cases[i].kept_quarter != 0 ? -2 : 0);
        check_value(&quarter->lost, cases[i].kept_quarter == 0, cases[i].kept_quarter == 0,
                    cases[i].kept_quarter == 0 ? -2 : 0);
        check_value(&s.event[10].exact, 1, cases[i].sum, cases[i].at);
        ck_assert_uint_eq(s.event[11].kind, FPX_MMA_EVENT_ROUND);
        ck_assert_uint_eq(s.event[11].result.code, cases[i].result);
        check_value(&s.event[11].lost, 0, 0, 0);
    }
}
END_TEST

/* What is refused says why, and leaves the result alone. */
START_TEST(refused)
{
    fpx_mma_preset p = preset("ampere/mma.sync/fp16-fp32");
    fpx_mma_call call = table8();
    story s = { .n = 0 };
    uint64_t code = 7;
    fpx_error err = { 0 };

    ck_assert_int_eq(fpx_mma_explain(&p.model, &call, 1, 0, listen, &s, &code, &err), FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "1,0: D is 1 x 1"));
    ck_assert_int_eq(fpx_mma_explain(&p.model, &call, 0, 1, listen, &s, &code, &err), FPX_EINVAL);
    call.a.format = fpx_fp64;
    ck_assert_int_eq(fpx_mma_explain(&p.model, &call, 0, 0, listen, &s, &code, &err),
                     FPX_EUNSUPPORTED);
    p.model.block = 0;
    ck_assert_int_eq(fpx_mma_explain(&p.model, &call, 0, 0, listen, &s, &code, &err), FPX_EINVAL);
    ck_assert_uint_eq(code, 7);
    ck_assert_uint_eq(s.n, 0);
}
END_TEST

/* k = 0 is a conversion of C; an element's own row and column are read. */
START_TEST(places)
{
    const fpx_mma_preset p = preset("hopper/mma.sync/fp16-fp16");
    const uint16_t a[] = { 0x3c00, 0x4000 }, b[] = { 0x3c00, 0x4200 }; /* 1, 2 and 1, 3 */
    fpx_mma_call call = table8();
    story s = { .n = 0 };
    uint64_t code = 0;

    call.k = 0;
    ck_assert_int_eq(fpx_mma_explain(&p.model, &call, 0, 0, listen, &s, &code, NULL), FPX_OK);
    ck_assert_uint_eq(s.n, 1);
    ck_assert_uint_eq(s.event[0].kind, FPX_MMA_EVENT_CONVERT);
    ck_assert_uint_eq(code, 0x7c00);
    call = (fpx_mma_call){ .m = 2, .n = 2, .k = 1, .stride_d = 2 };
    call.a = (fpx_mma_operand){ .format = fpx_fp16, .codes = a, .stride_vector = 1, .stride_k = 1 };
    call.b = call.a;
    call.b.codes = b;
    s.n = 0;
    ck_assert_int_eq(fpx_mma_explain(&p.model, &call, 1, 1, listen, &s, &code, NULL), FPX_OK);
    ck_assert_uint_eq(code, 0x4600); /* 6 */
    ck_assert_uint_eq(s.event[1].a.code, 0x4000);
    ck_assert_uint_eq(s.event[1].b.code, 0x4200);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("mma_explain");
    TCase *const tcase = tcase_create("events");
    SRunner *const runner = srunner_create(suite);

    tcase_add_test(tcase, table_8);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, places);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
