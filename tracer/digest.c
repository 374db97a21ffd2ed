/* digest.c - digests as fpx/digest.h specifies them. The hash is compiled in from xxhash.h, so the
 * streaming state can live on the stack whatever version of the shared library is installed. */
#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fpx/digest.h>

_Static_assert(sizeof(fpx_digest) == sizeof(XXH128_canonical_t), "a digest is XXH3-128's 16 bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "codes are digested as they lie in memory");

static fpx_digest canonical(XXH128_hash_t hash)
{
    XXH128_canonical_t out;
    fpx_digest digest;

    XXH128_canonicalFromHash(&out, hash);
    memcpy(digest.bytes, out.digest, sizeof digest.bytes);
    return digest;
}

static void put_u64le(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

/* XXH3-128 of header | digest of each chunk. */
static fpx_digest digest_chunks(const void *header, size_t header_size, const void *data, size_t n)
{
    const uint8_t *bytes = data;
    XXH3_state_t state;

    XXH3_128bits_reset(&state);
    if (header_size > 0)
        XXH3_128bits_update(&state, header, header_size);
    while (n > 0) {
        const size_t size = n < FPX_DIGEST_CHUNK ? n : FPX_DIGEST_CHUNK;
        const fpx_digest chunk = canonical(XXH3_128bits(bytes, size));

        XXH3_128bits_update(&state, chunk.bytes, sizeof chunk.bytes);
        bytes += size;
        n -= size;
    }
    return canonical(XXH3_128bits_digest(&state));
}

fpx_digest fpx_digest_tensor(const fpx_tensor *tensor, const void *codes)
{
    uint8_t header[4 + FPX_FORMAT_NAME_MAX + 8 + 8 * FPX_MAX_DIMS] = "fpx1";
    size_t size = 4;

    /* A name shorter than its field is followed by zeros, whatever memory holds there. */
    for (size_t i = 0; i < FPX_FORMAT_NAME_MAX && tensor->format.name[i] != '\0'; i++)
        header[size + i] = (uint8_t)tensor->format.name[i];
    size += FPX_FORMAT_NAME_MAX;
    put_u64le(header + size, tensor->ndim);
    size += 8;
    for (size_t axis = 0; axis < tensor->ndim && axis < FPX_MAX_DIMS; axis++, size += 8)
        put_u64le(header + size, tensor->shape[axis]);
    return digest_chunks(header, size, codes, fpx_tensor_bytes(tensor));
}

fpx_digest fpx_digest_list(const fpx_digest *digests, size_t n)
{
    return canonical(XXH3_128bits(digests, n * sizeof *digests));
}

fpx_digest fpx_digest_chain(fpx_digest previous, fpx_digest step)
{
    const fpx_digest pair[2] = { previous, step };

    return fpx_digest_list(pair, 2);
}

fpx_digest fpx_digest_bytes(const void *bytes, size_t n)
{
    return digest_chunks(NULL, 0, bytes, n);
}

int fpx_digest_equal(fpx_digest a, fpx_digest b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static const char hex_digits[] = "0123456789abcdef";

void fpx_digest_text(fpx_digest digest, char ret_text[FPX_DIGEST_TEXT])
{
    for (size_t i = 0; i < sizeof digest.bytes; i++) {
        ret_text[2 * i] = hex_digits[digest.bytes[i] >> 4];
        ret_text[2 * i + 1] = hex_digits[digest.bytes[i] & 15];
    }
    ret_text[FPX_DIGEST_TEXT - 1] = '\0';
}

fpx_status fpx_digest_parse(const char *text, fpx_digest *ret_digest)
{
    fpx_digest digest = { { 0 } };

    for (size_t i = 0; i < FPX_DIGEST_TEXT - 1; i++) {
        const char *found = text[i] != '\0' ? strchr(hex_digits, text[i]) : NULL;

        if (found == NULL)
            return FPX_EFORMAT;
        digest.bytes[i / 2] = (uint8_t)(digest.bytes[i / 2] << 4 | (found - hex_digits));
    }
    if (text[FPX_DIGEST_TEXT - 1] != '\0')
        return FPX_EFORMAT;
    *ret_digest = digest;
    return FPX_OK;
}
