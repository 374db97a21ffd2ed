/* ops_cases_remedy.h - the cases of FP4 training's remedies, for ops_cases.h, whose helpers they use. */
#ifndef FPX_TESTS_OPS_CASES_REMEDY_H
#define FPX_TESTS_OPS_CASES_REMEDY_H

static inline fpx_call case_dge(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_DGE);

    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 0.3, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    c.attr.dge.k = 5.0;
    c.attr.dge.cap = 3.0;
    return c;
}

static inline fpx_call case_dge_ms_amp(fixture *f, const fpx_format *real)
{
    fpx_call c = case_dge(f, real);

    c.attr.dge.rule = FPX_DGE_MS_AMP;
    return c;
}

static inline fpx_call case_clamp(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_CLAMP);

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    c.attr.clamp.alpha = 0.97;
    return c;
}

static inline fpx_call case_clamp_rows(fixture *f, const fpx_format *real)
{
    fpx_call c = case_clamp(f, real);

    c.attr.clamp.over = FPX_CLAMP_ROW;
    return c;
}

static inline fpx_call case_clamp_columns(fixture *f, const fpx_format *real)
{
    fpx_call c = case_clamp(f, real);

    c.attr.clamp.over = FPX_CLAMP_COLUMN;
    return c;
}

/* A tenth of x is not y. */
static inline fpx_call case_add_residual(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_ADD_RESIDUAL);

    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 3, SHAPE(CM, CC)));
    add_in(&c, new_tensor(f, real, SHAPE(CM, CC)));
    add_in(&c, uniform(f, real, 1, SHAPE(CF, CC)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    for (size_t i = 0; i < fpx_tensor_count(&c.in[1]); i++)
        set(f, &c.in[2], i, next_random(f) % 10 == 0 ? 0.5 : get(f, &c.in[1], i));
    return c;
}

/* Weights of four bits, one scale a row. */
static inline fpx_call case_add_residual_codes(fixture *f, const fpx_format *real)
{
    fpx_call c = case_add_residual(f, real);

    c.in[3] = blocked(f, &fpx_e2m1, &fpx_fp32, 1, 0, SHAPE(CF, CC));
    return c;
}

#endif /* FPX_TESTS_OPS_CASES_REMEDY_H */
