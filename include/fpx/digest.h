/* fpx/digest.h - 128-bit digests of tensors, and the tree and chain made of them.
 *
 * tensor digest: the bytes of the dense, row-major, little-endian codes are cut into chunks of
 * FPX_DIGEST_CHUNK bytes (the last may be shorter; an empty tensor has none); each chunk's digest is
 * XXH3-128 with seed 0, in canonical (big-endian) form; the tensor's digest is XXH3-128, seed 0, of
 *     header | chunk digests in order
 *     header = "fpx1", format name zero-padded to 16, u64le ndim, u64le shape[ndim]
 * so that chunks can be digested in parallel. An operation's digest is XXH3-128 of its outputs' digests in
 * order; a step's of its operations' digests in order; chain(s) = XXH3-128(chain(s-1) | step(s)), with
 * chain(-1) = 16 zero bytes. Test vectors: tests/tracer/test_digest.c,
 * their independent source: tests/tracer/digest_vectors.py. */
#ifndef FPX_DIGEST_H
#define FPX_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>
#include <fpx/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_DIGEST_CHUNK = 65536, FPX_DIGEST_TEXT = 33 };

typedef struct fpx_digest {
    uint8_t bytes[16];
} fpx_digest;

/* Digest of a dense tensor's codes at `codes` (fpx_tensor_bytes of them), as packed as the tensor is:
 * two codes a byte and one a byte are different digests. Scales do not enter: they are tensors of
 * their own. Never fails; allocates nothing. */
fpx_digest fpx_digest_tensor(const fpx_tensor *tensor, const void *codes);

/* Digest of n digests in order (operation, step). */
fpx_digest fpx_digest_list(const fpx_digest *digests, size_t n);

/* chain(s) from chain(s-1) and step(s). */
fpx_digest fpx_digest_chain(fpx_digest previous, fpx_digest step);

/* Digest of n bytes, chunked as above with an empty header (files, checkpoints). */
fpx_digest fpx_digest_bytes(const void *bytes, size_t n);

int fpx_digest_equal(fpx_digest a, fpx_digest b);

/* 32 lower-case hexadecimal digits and a terminator; and back: FPX_EFORMAT for anything else. */
void fpx_digest_text(fpx_digest digest, char ret_text[FPX_DIGEST_TEXT]);
fpx_status fpx_digest_parse(const char *text, fpx_digest *ret_digest);

#ifdef __cplusplus
}
#endif

#endif /* FPX_DIGEST_H */
