/* op_block.h - the blocking that a call of the block quantizers asks for. */
#ifndef FPX_ACCEL_OP_BLOCK_H
#define FPX_ACCEL_OP_BLOCK_H

#include <fpx/accel.h>
#include <fpx/block.h>

/* The profile with the call's element format, rounding, overflow and block. FPX_EINVAL: the profile is not terminated
 * or unknown, or it does not go with these (fpx_blocking_check). */
fpx_status op_block_of(const fpx_call *call, fpx_blocking *ret_blocking);

/* 1 where scales have a second level, for the whole tensor. */
int op_block_has_whole(const fpx_blocking *blocking);

/* What the second level multiplies code and block scale by: scale[1] of SCALE. */
float op_block_decode(const fpx_blocking *blocking, float amax);

#endif /* FPX_ACCEL_OP_BLOCK_H */
