/* op_block.c - from the attributes of a block quantizer to fpx/block.h's description. */
#include "op_block.h"

#include <string.h>

fpx_status op_block_of(const fpx_call *call, fpx_blocking *ret_blocking)
{
    const int random = call->kind == FPX_OP_QUANTIZE_BLOCK_RANDOM;
    fpx_blocking b;

    if (memchr(call->attr.block.profile, '\0', FPX_PROFILE_MAX) == NULL ||
        fpx_blocking_find(call->attr.block.profile, &b) != FPX_OK ||
        call->attr.block.round > FPX_SR || call->attr.block.overflow > FPX_OVERFLOW_NONE)
        return FPX_EINVAL;
    b.element.format = call->out[0].format;
    b.element.round = (uint8_t)call->attr.block.round;
    b.element.overflow = (uint8_t)call->attr.block.overflow;
    b.element.sr_bits = random ? 32 : 0;
    b.block[0] = call->attr.block.block[0];
    b.block[1] = call->attr.block.block[1];
    b.ties_to_zero = (uint8_t)(call->attr.block.ties_to_zero != 0);
    if (call->attr.block.ties_to_zero > 1 || (b.ties_to_zero != 0 && b.element.round != FPX_RNA) ||
        (b.element.round == FPX_SR) != random || fpx_blocking_check(&b) != FPX_OK)
        return FPX_EINVAL;
    *ret_blocking = b;
    return FPX_OK;
}

int op_block_has_whole(const fpx_blocking *blocking)
{
    return blocking->rule >= FPX_RULE_NVFP4_TE;
}

/* fpx/block.h's decoding, with the block's scale left out: the orders differ between libraries. */
float op_block_decode(const fpx_blocking *blocking, float amax)
{
    switch (blocking->rule) {
    case FPX_RULE_NVFP4_TE:
        return amax * (1.0f / (448.0f * 6.0f));
    case FPX_RULE_NVFP4_46:
        return amax * (1.0f / (blocking->bound * 6.0f));
    default:
        return amax / (448.0f * 6.0f);
    }
}
