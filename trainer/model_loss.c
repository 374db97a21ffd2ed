/* model_loss.c - where the forward pass ends and the backward pass begins: cross entropy, or of preferences the loss of DPO
 * on log-probabilities of whole sequences. */
#include "model_build.h"

static uint32_t cross_entropy(build *b, loss_site *l)
{
    const fpx_attr attr = { .tokens = { .leaf = b->sequence, .sum = b->accumulate > 1 } };
    const uint64_t m = b->batch * b->sequence;
    const uint32_t y = build_of_micro(b, FPX_TENSOR_ACTIVATION, &fpx_fp32, DIMS(1), "loss");
    char site[FPX_NAME_MAX];

    l->lse = build_of_micro(b, FPX_TENSOR_ACTIVATION, &fpx_fp32, DIMS(m), "loss/lse");
    build_site(b, -1, "loss", site);
    build_op(b, -1, FPX_OP_XENT, FPX_FPROP, site, "fprop", LIST(l->logits, l->targets),
             LIST(y, l->lse), &attr);
    return y;
}

static uint32_t preference(build *b, loss_site *l, double beta, fpx_model *model)
{
    const fpx_attr leaf = { .tokens = { .leaf = b->sequence } };
    const fpx_attr attr = { .dpo = { .beta = beta, .sum = b->accumulate > 1 } };
    fpx_micro_batch *micro = &model->micro[b->micro];
    const uint64_t m = b->batch * b->sequence, n = b->batch;
    char site[FPX_NAME_MAX];

    micro->reference = build_of_micro(b, FPX_TENSOR_INPUT, &fpx_fp32, DIMS(n), "reference");
    micro->logp = build_of_micro(b, FPX_TENSOR_ACTIVATION, &fpx_fp32, DIMS(n), "logp/y");
    l->lse = build_of_micro(b, FPX_TENSOR_ACTIVATION, &fpx_fp32, DIMS(m), "logp/lse");
    build_site(b, -1, "logp", site);
    build_op(b, -1, FPX_OP_LOGP, FPX_FPROP, site, "fprop", LIST(l->logits, l->targets),
             LIST(micro->logp, l->lse), &leaf);
    const uint32_t y = build_of_micro(b, FPX_TENSOR_ACTIVATION, &fpx_fp32, DIMS(1), "loss");
    l->dlogp = build_of_micro(b, FPX_TENSOR_GRADIENT, &fpx_fp32, DIMS(n), "logp/dy");
    micro->margin = build_of_micro(b, FPX_TENSOR_ACTIVATION, &fpx_fp32, DIMS(n / 2), "loss/margin");
    build_site(b, -1, "loss", site);
    build_op(b, -1, FPX_OP_DPO, FPX_FPROP, site, "fprop",
             LIST(micro->logp, micro->reference, model->count), LIST(y, l->dlogp, micro->margin),
             &attr);
    return y;
}

uint32_t loss_forward(build *b, loss_site *l, const fpx_data_config *d, uint32_t logits,
                      fpx_model *m)
{
    *l = (loss_site){ .pairs = d->kind == FPX_DATA_PREFERENCE,
                      .logits = logits,
                      .targets = m->micro[b->micro].targets };
    if (l->pairs && b->batch % 2 != 0 && b->status == FPX_OK)
        b->status = fpx_error_set(b->err, FPX_EINVAL,
                                  "data: batch %lu must be even: the chosen and the rejected "
                                  "response are a sequence each",
                                  (unsigned long)b->batch);
    return l->pairs ? preference(b, l, d->beta, m) : cross_entropy(b, l);
}

uint32_t loss_backward(build *b, const loss_site *l, uint32_t count)
{
    const fpx_attr leaf = { .tokens = { .leaf = b->sequence } };
    char site[FPX_NAME_MAX];

    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    const fpx_tensor of = fpx_program_tensor_at(b->program, l->logits)->desc;
    const uint32_t dx = build_of_micro(b, FPX_TENSOR_GRADIENT, &fpx_fp32,
                                       DIMS(of.shape[0], of.shape[1]), "loss/dx");
    build_site(b, -1, "loss", site);
    build_op(b, -1, l->pairs ? FPX_OP_LOGP_GRAD : FPX_OP_XENT_GRAD, FPX_DGRAD, site, "dgrad",
             LIST(l->logits, l->targets, l->lse, l->pairs ? l->dlogp : count), LIST(dx), &leaf);
    return dx;
}
