/* test_safetensors.c - what is written is read back; each lie a header can tell is refused with its name;
 * no cut, no flipped bit and no damaged header does harm, and none passes for the original. */
#include <signal.h>
#include <sys/resource.h>
#include <xxhash.h>

#include <fpx/file.h>
#include <fpx/safetensors.h>

#include "scratch.h"

static fpx_error err;
static char path[PATH_ROOM];

static void setup(void)
{
    scratch_make();
    scratch_path("t.safetensors", path);
}

/* One tensor of each format; the odd byte counts leave the later ones misaligned. */
enum { SAMPLES = 7 };

static const struct {
    const char *name;
    const fpx_format *format;
    size_t ndim;
    uint64_t shape[FPX_MAX_DIMS];
} samples[SAMPLES] = {
    { "z/first", &fpx_e4m3, 1, { 5 } },    { "a.double", &fpx_fp64, 2, { 3, 2 } },
    { "scalar", &fpx_fp32, 0, { 0 } },     { "h", &fpx_fp16, 4, { 1, 3, 1, 1 } },
    { "b", &fpx_bf16, 3, { 2, 1, 5 } },    { "\xc3\xa9 \"\\\n", &fpx_e5m2, 1, { 3 } },
    { "tokens", &fpx_int32, 2, { 2, 4 } },
};

static const fpx_st_pair sample_pairs[] = { { "note", "a \"quoted\" text\n" }, { "empty", "" } };

static _Alignas(8) unsigned char sample_data[SAMPLES][64];

static void make_samples(fpx_st_entry *entries)
{
    uint64_t state = 7;

    for (size_t i = 0; i < SAMPLES; i++) {
        for (size_t k = 0; k < sizeof sample_data[i]; k++)
            sample_data[i][k] = (unsigned char)random_next(&state);
        entries[i].name = samples[i].name;
        entries[i].data = sample_data[i];
        ck_assert_int_eq(
            fpx_tensor_make(samples[i].format, samples[i].ndim, samples[i].shape, &entries[i].desc),
            FPX_OK);
    }
}

static void write_samples(void)
{
    fpx_st_entry entries[SAMPLES];

    make_samples(entries);
    ck_assert_msg(fpx_st_write(path, entries, SAMPLES, sample_pairs, 2, &err) == FPX_OK, "%s",
                  err.text);
}

/* 1 where the file holds exactly what make_samples made. */
static int holds_samples(const fpx_st_file *file)
{
    int same = fpx_st_count(file) == SAMPLES;

    for (size_t i = 0; i < SAMPLES && same; i++) {
        const fpx_st_entry *e = fpx_st_find(file, samples[i].name);
        fpx_tensor desc;

        (void)fpx_tensor_make(samples[i].format, samples[i].ndim, samples[i].shape, &desc);
        same = e != NULL && fpx_tensor_same_kind(&e->desc, &desc) &&
               memcmp(e->data, sample_data[i], fpx_tensor_bytes(&desc)) == 0;
    }
    for (size_t i = 0; i < 2 && same; i++) {
        const char *value = fpx_st_metadata(file, sample_pairs[i].key);
        same = value != NULL && strcmp(value, sample_pairs[i].value) == 0;
    }
    return same;
}

START_TEST(written_tensors_are_read_back)
{
    fpx_st_file *file = NULL;

    write_samples();
    ck_assert_msg(fpx_st_open(path, &file, &err) == FPX_OK, "%s", err.text);
    ck_assert(holds_samples(file));
    for (size_t i = 0; i < SAMPLES; i++) {
        const fpx_st_entry *e = fpx_st_at(file, i);
        ck_assert_str_eq(e->name, samples[i].name); /* in the order given */
        ck_assert_ptr_eq(fpx_st_find(file, e->name), e);
        ck_assert_uint_eq((uintptr_t)e->data % fpx_format_size(&e->desc.format), 0);
    }
    ck_assert_ptr_null(fpx_st_at(file, SAMPLES));
    ck_assert_ptr_null(fpx_st_find(file, "absent"));
    ck_assert_ptr_null(fpx_st_find(file, "__metadata__"));
    ck_assert_ptr_null(fpx_st_metadata(file, "absent"));
    ck_assert_uint_eq(strlen(fpx_st_metadata(file, "fpx.digest")), 32);
    ck_assert_int_eq(scratch_count(), 1);
    fpx_st_close(file);
    fpx_st_close(NULL);
}
END_TEST

START_TEST(file_without_tensors)
{
    fpx_st_file *file = NULL;

    ck_assert_int_eq(fpx_st_write(path, NULL, 0, NULL, 0, &err), FPX_OK);
    ck_assert_int_eq(fpx_st_open(path, &file, &err), FPX_OK);
    ck_assert_uint_eq(fpx_st_count(file), 0);
    ck_assert_ptr_null(fpx_st_find(file, "a"));
    fpx_st_close(file);
}
END_TEST

/* The digest as the header defines it, put together by hand. */
START_TEST(digest_is_the_defined_one)
{
    static const unsigned char content[] = "\2\0\0\0\0\0\0\0"
                                           "k\0v\0"
                                           "l\0\0"
                                           "\2\0\0\0\0\0\0\0"
                                           "a\0I32\0\0\0\0\0\0\0\0\0\4\3\2\1"
                                           "b\0F8_E4M3\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
                                           "\3\0\0\0\0\0\0\0xyz";
    const int32_t one = 0x01020304;
    const uint64_t shape[2] = { 1, 3 };
    const fpx_st_pair pairs[] = { { "l", "" }, { "k", "v" } };
    fpx_st_entry entries[2] = { { .name = "b", .data = "xyz" }, { .name = "a", .data = &one } };
    XXH128_canonical_t sum;
    fpx_st_file *file = NULL;
    char text[33];

    ck_assert_int_eq(fpx_tensor_make(&fpx_e4m3, 2, shape, &entries[0].desc), FPX_OK);
    ck_assert_int_eq(fpx_tensor_make(&fpx_int32, 0, NULL, &entries[1].desc), FPX_OK);
    ck_assert_int_eq(fpx_st_write(path, entries, 2, pairs, 2, &err), FPX_OK);
    ck_assert_int_eq(fpx_st_open(path, &file, &err), FPX_OK);
    XXH128_canonicalFromHash(&sum, XXH3_128bits(content, sizeof content - 1));
    for (int i = 0; i < 16; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", sum.digest[i]);
    ck_assert_str_eq(fpx_st_metadata(file, "fpx.digest"), text);
    fpx_st_close(file);
}
END_TEST

/* A file with this header and `bytes` bytes of data. */
static void write_file(const char *header, size_t bytes)
{
    static const char data[64] = { 0 };
    const size_t n = strlen(header);
    char file[4096] = { 0 };

    ck_assert_uint_le(8 + n + bytes, sizeof file);
    for (size_t i = 0; i < 8; i++)
        file[i] = (char)(unsigned char)(n >> (8 * i));
    memcpy(file + 8, header, n);
    memcpy(file + 8 + n, data, bytes);
    scratch_write(path, file, 8 + n + bytes);
}

#define T(NAME, DTYPE, SHAPE, FROM, TO)                                                            \
    "\"" NAME "\":{\"dtype\":" DTYPE ",\"shape\":" SHAPE ",\"data_offsets\":[" FROM "," TO "]}"

static const struct {
    const char *header;
    size_t bytes;
    fpx_status status;
    const char *want; /* in the text, where it is refused */
} headers[] = {
    { "{" T("a", "\"F32\"", "[2]", "0", "8") "}", 8, FPX_OK, "" },
    { "{" T("a", "\"F32\"", "[2]", "0", "8") "}   ", 8, FPX_OK, "" },
    { "{" T("b", "\"F16\"", "[]", "2", "4") "," T("a", "\"F16\"", "[1]", "0", "2") "}", 4, FPX_OK,
      "" },
    { "{\"__metadata__\":{\"k\":\"v\"}," T("a", "\"I32\"", "[1]", "0", "4") "}", 4, FPX_OK, "" },
    { "{\"a\":{\"more\":[{}],\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[0,2]}}", 2, FPX_OK,
      "" },
    { "{}", 0, FPX_OK, "" },
    { "{}", 1, FPX_EFORMAT, "1 bytes after the last tensor" },
    { "", 0, FPX_EFORMAT, "'{' expected" },
    { " {}", 0, FPX_EFORMAT, "'{' expected" },
    { "[]", 0, FPX_EFORMAT, "'{' expected" },
    { "{", 0, FPX_EFORMAT, "header is malformed" },
    { "{} x", 0, FPX_EFORMAT, "header is malformed" },
    { "{\"a\":{},\"a\":{}}", 0, FPX_EFORMAT, "duplicate" },
    { "{\"\\u0000\":{}}", 0, FPX_EFORMAT, "malformed" },
    { "{\"\xff\":{}}", 0, FPX_EFORMAT, "malformed" },
    { "{\"a\":1e999}", 0, FPX_EFORMAT, "malformed" },
    { "{\"a\":99999999999999999999}", 0, FPX_EFORMAT, "malformed" },
    { "{\"a\":7}", 0, FPX_EFORMAT, "tensor 'a' has no known dtype" },
    { "{\"a\":{}}", 0, FPX_EFORMAT, "tensor 'a' has no known dtype" },
    { "{" T("a", "\"F31\"", "[2]", "0", "8") "}", 8, FPX_EFORMAT,
      "no known dtype; known: F64 F32" },
    { "{" T("a", "7", "[2]", "0", "8") "}", 8, FPX_EFORMAT, "no known dtype" },
    { "{" T("a", "\"F32\"", "2", "0", "8") "}", 8, FPX_EFORMAT, "has a shape that is no list" },
    { "{" T("a", "\"F32\"", "[2.0]", "0", "8") "}", 8, FPX_EFORMAT, "has a shape that is no list" },
    { "{" T("a", "\"F32\"", "[-2]", "0", "8") "}", 8, FPX_EFORMAT, "has a shape that is no list" },
    { "{" T("a", "\"F32\"", "[0]", "0", "0") "}", 0, FPX_EUNSUPPORTED,
      "tensor 'a' has no elements" },
    { "{" T("a", "\"F32\"", "[1,1,1,1,1]", "0", "4") "}", 4, FPX_EUNSUPPORTED, "more than 4 axes" },
    { "{" T("a", "\"F32\"", "[4294967296,4294967296]", "0", "0") "}", 0, FPX_EFORMAT,
      "larger than any" },
    { "{" T("a", "\"F32\"", "[4611686018427387904]", "0", "0") "}", 0, FPX_EFORMAT,
      "larger than any" },
    { "{" T("a", "\"F32\"", "[9223372036854775807,4]", "0", "0") "}", 0, FPX_EFORMAT,
      "larger than" },
    { "{" T("a", "\"F32\"", "[2]", "0", "7") "}", 8, FPX_EFORMAT, "data_offsets that do not fit" },
    { "{" T("a", "\"F32\"", "[2]", "8", "0") "}", 8, FPX_EFORMAT, "data_offsets that do not fit" },
    { "{" T("a", "\"F32\"", "[2]", "-8", "0") "}", 8, FPX_EFORMAT, "no two integers" },
    { "{" T("a", "\"F32\"", "[2]", "0", "8.0") "}", 8, FPX_EFORMAT, "no two integers" },
    { "{" T("a", "\"F32\"", "[2]", "0", "8,8") "}", 8, FPX_EFORMAT, "no two integers" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":8}}", 8, FPX_EFORMAT,
      "no two integers" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, FPX_EFORMAT, "no two integers" },
    { "{" T("a", "\"F32\"", "[2]", "0", "8") "}", 7, FPX_EFORMAT, "ends past the end of the file" },
    { "{" T("a", "\"F32\"", "[2]", "9223372036854775799", "9223372036854775807") "}", 8,
      FPX_EFORMAT, "ends past the end" },
    { "{" T("a", "\"F32\"", "[2]", "0", "8") "}", 9, FPX_EFORMAT, "1 bytes after the last tensor" },
    { "{" T("a", "\"F32\"", "[1]", "4", "8") "}", 8, FPX_EFORMAT, "'a' leaves a gap" },
    { "{" T("a", "\"F32\"", "[1]", "0", "4") "," T("b", "\"F32\"", "[1]", "6", "10") "}", 10,
      FPX_EFORMAT, "'b' leaves a gap" },
    { "{" T("a", "\"F32\"", "[1]", "0", "4") "," T("b", "\"F32\"", "[1]", "3", "7") "}", 7,
      FPX_EFORMAT, "'b' overlaps" },
    { "{" T("a", "\"F32\"", "[1]", "0", "4") "," T("b", "\"F32\"", "[1]", "0", "4") "}", 4,
      FPX_EFORMAT, "overlaps" },
    { "{" T("", "\"F32\"", "[1]", "0", "4") "}", 4, FPX_EFORMAT, "needs a name" },
    { "{" T("a\\u001b[31m", "\"F31\"", "[1]", "0", "4") "}", 4, FPX_EFORMAT, "'a?[31m'" },
    { "{\"__metadata__\":7}", 0, FPX_EFORMAT, "__metadata__ is no object" },
    { "{\"__metadata__\":{\"k\":7}}", 0, FPX_EFORMAT, "metadata 'k' is no text" },
    { "{\"__metadata__\":{\"fpx.digest\":7}}", 0, FPX_EFORMAT, "metadata 'fpx.digest' is no text" },
    { "{\"__metadata__\":{\"fpx.digest\":\"\"}}", 0, FPX_EFORMAT, "is corrupt: the digest" },
};

START_TEST(header_is_judged)
{
    fpx_st_file *file = NULL;

    write_file(headers[_i].header, headers[_i].bytes);
    memset(&err, 0, sizeof err);
    const fpx_status status = fpx_st_open(path, &file, &err);
    if (status != headers[_i].status || (file != NULL) != (status == FPX_OK) ||
        (status != FPX_OK &&
         (strstr(err.text, headers[_i].want) == NULL || strstr(err.text, path) == NULL)))
        ck_abort_msg("%s: status %d, '%s'", headers[_i].header, (int)status, err.text);
    fpx_st_close(file);
}
END_TEST

START_TEST(lengths_that_lie)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *want;
    } files[] = {
        { "", 0, "0 bytes are no safetensors file" },
        { "\2\0\0\0\0\0\0", 7, "7 bytes are no" },
        { "\3\0\0\0\0\0\0\0{}", 10, "was it cut?" },
        { "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10,
          "18446744073709551615 bytes; at most 100000000" },
        { "\1\xe1\xf5\5\0\0\0\0{}", 10, "100000001 bytes; at most" },
        { "\0\xe1\xf5\5\0\0\0\0{}", 10, "was it cut?" },
        { "name: demo\nsteps: 1\n", 20, "no safetensors file" },
    };
    fpx_st_file *file = NULL;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        scratch_write(path, files[i].bytes, files[i].count);
        ck_assert_int_eq(fpx_st_open(path, &file, &err), FPX_EFORMAT);
        ck_assert_msg(strstr(err.text, files[i].want) != NULL, "file %zu: '%s'", i, err.text);
    }
    ck_assert_int_eq(fpx_st_open(scratch, &file, &err), FPX_EIO);
    scratch_path("absent", path);
    ck_assert_int_eq(fpx_st_open(path, &file, NULL), FPX_EIO);
    ck_assert_ptr_null(file);
}
END_TEST

/* Deep JSON must not become a deep stack. */
START_TEST(deep_header)
{
    const size_t n = 1000000;
    char *bytes = malloc(8 + n);
    fpx_st_file *file = NULL;

    for (size_t i = 0; i < 8; i++)
        bytes[i] = (char)(unsigned char)(n >> (8 * i));
    for (size_t i = 0; i < n; i++)
        bytes[8 + i] = "{\"a\":"[i % 5];
    scratch_write(path, bytes, 8 + n);
    ck_assert_int_eq(fpx_st_open(path, &file, &err), FPX_EFORMAT);
    memset(bytes + 8 + 5, '[', n - 5);
    scratch_write(path, bytes, 8 + n);
    ck_assert_int_eq(fpx_st_open(path, &file, &err), FPX_EFORMAT);
    free(bytes);
}
END_TEST

START_TEST(what_is_not_written)
{
    static const uint64_t shape[] = { 2, 2 };
    fpx_tensor good, strided, scaled, packed, foreign;
    float data[4] = { 0 };
    char was[PATH_ROOM];

    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 2, shape, &good), FPX_OK);
    strided = scaled = packed = foreign = good;
    strided.strides[0] = 1;
    strided.strides[1] = 2;
    scaled.nscales = 1;
    packed.packing = FPX_PACK_DENSE;
    foreign.format = fpx_e2m1;
    const fpx_st_entry bad[] = {
        { "a", strided, data },
        { "a", scaled, data },
        { "a", packed, data },
        { "a", foreign, data },
        { "", good, data },
        { NULL, good, data },
        { "__metadata__", good, data },
        { "\xff", good, data },
        { "a", good, NULL },
        { "b", good, data }, /* repeats the first entry */
    };
    const fpx_st_pair bad_pairs[] = { { "fpx.digest", "x" }, { "", "x" },     { NULL, "x" },
                                      { "k", NULL },         { "k", "\xff" }, { "\xff", "x" },
                                      { "l", "x" } };

    scratch_write(path, "old", 3);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const fpx_st_entry both[] = { { "b", good, data }, bad[i] };
        if (fpx_st_write(path, both, 2, NULL, 0, &err) != FPX_EINVAL)
            ck_abort_msg("entry %zu was written", i);
        ck_assert_ptr_nonnull(strstr(err.text, path));
    }
    for (size_t i = 0; i < sizeof bad_pairs / sizeof bad_pairs[0]; i++) {
        const fpx_st_pair both[] = { { "l", "x" }, bad_pairs[i] };
        if (fpx_st_write(path, NULL, 0, both, 2, &err) != FPX_EINVAL)
            ck_abort_msg("pair %zu was written", i);
    }
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(fgets(was, sizeof was, f));
    fclose(f);
    ck_assert_str_eq(was, "old");
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

/* A full disk, as the limit on the size of a file, at every length that cuts the write short. */
START_TEST(full_disk_leaves_the_old_file)
{
    static const float large[5000] = { 1.0f };
    static const uint64_t shape[] = { 5000 };
    fpx_st_entry entry = { .name = "a", .data = large };
    struct rlimit old, small;
    fpx_st_file *file = NULL;

    write_samples();
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 1, shape, &entry.desc), FPX_OK);
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t limit = 0; limit <= 20000; limit += 1000) {
        small = old;
        small.rlim_cur = limit;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        const fpx_status status = fpx_st_write(path, &entry, 1, NULL, 0, &err);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
        ck_assert_int_eq(status, FPX_EIO);
        ck_assert_ptr_nonnull(strstr(err.text, "File too large"));
        ck_assert_int_eq(scratch_count(), 1);
        ck_assert_int_eq(fpx_st_open(path, &file, &err), FPX_OK);
        ck_assert(holds_samples(file));
        fpx_st_close(file);
    }
    ck_assert_int_eq(fpx_st_write(path, &entry, 1, NULL, 0, &err), FPX_OK);
}
END_TEST

static char *read_samples(size_t *ret_count)
{
    char *bytes = NULL;

    write_samples();
    ck_assert_int_eq(fpx_file_read(path, SIZE_MAX, &bytes, ret_count, &err), FPX_OK);
    return bytes;
}

START_TEST(every_cut_is_found)
{
    size_t count = 0;
    char *bytes = read_samples(&count);
    fpx_st_file *file = NULL;

    for (size_t n = 0; n < count; n++) {
        scratch_write(path, bytes, n);
        if (fpx_st_open(path, &file, &err) != FPX_EFORMAT)
            ck_abort_msg("cut to %zu of %zu bytes: '%s'", n, count, err.text);
    }
    free(bytes);
}
END_TEST

/* Opens what may be damaged: it is refused with a text, or it holds the samples, or its digest's own key was
 * hit, so that there is none. Returns 1 where it opened. */
static int open_damaged(const char *what, size_t where)
{
    fpx_st_file *file = NULL;

    memset(&err, 0, sizeof err);
    const fpx_status status = fpx_st_open(path, &file, &err);
    if (status != FPX_OK) {
        if (file != NULL || err.text[0] == '\0' ||
            (status != FPX_EFORMAT && status != FPX_EUNSUPPORTED))
            ck_abort_msg("%s %zu: status %d, text '%s'", what, where, (int)status, err.text);
        return 0;
    }
    if (fpx_st_metadata(file, "fpx.digest") != NULL && !holds_samples(file))
        ck_abort_msg("%s %zu: opened with other content", what, where);
    fpx_st_close(file);
    return 1;
}

START_TEST(every_flipped_bit_is_found)
{
    size_t count = 0, opened = 0;
    char *bytes = read_samples(&count);

    for (size_t bit = 0; bit < 8 * count; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        scratch_write(path, bytes, count);
        opened += (size_t)open_damaged("bit", bit);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
    }
    printf("flipped bits: %zu, %zu of them harmless or in the digest's key\n", 8 * count, opened);
    ck_assert_uint_lt(opened, count);
    free(bytes);
}
END_TEST

START_TEST(damaged_headers)
{
    const size_t rounds = effort(4000);
    uint64_t state = 0x20250002;
    size_t count = 0, opened = 0;
    char *bytes = read_samples(&count);
    char *text = malloc(2 * count);

    for (size_t i = 0; i < rounds; i++) {
        size_t n = count - 8;

        memcpy(text + 8, bytes + 8, n);
        for (uint64_t k = 1 + random_next(&state) % 4; k > 0; k--)
            damage(text + 8, &n, &state);
        /* A length that fits brings most of them past the first check. */
        const size_t length =
            ((unsigned char)bytes[0] | (size_t)(unsigned char)bytes[1] << 8) + n + 8 - count;
        memset(text, 0, 8);
        text[0] = (char)(unsigned char)length;
        text[1] = (char)(unsigned char)(length >> 8);
        scratch_write(path, text, 8 + n);
        opened += (size_t)open_damaged("round", i);
    }
    printf("damaged headers: %zu rounds from seed 0x20250002, %zu opened\n", rounds, opened);
    free(text);
    free(bytes);
}
END_TEST

/* Every dtype, packed ones and empty tensors too, by way of the sink and back, in pieces. */
START_TEST(pieces_of_every_dtype)
{
    static const char *const dtypes[] = {
        "F64",         "F32",     "F16",     "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ",
        "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "F4",   "I32",     "BOOL",    "U8",      "I8",
        "I16",         "U16",     "U32",     "C64",  "I64",     "U64"
    };
    enum { N = sizeof dtypes / sizeof dtypes[0] };
    static const fpx_st_pair pairs[] = { { "k", "v" } };
    uint64_t shapes[N][5];
    fpx_st_info infos[N] = { { 0 } };
    unsigned char byte = 0, got[64];
    fpx_st_sink *sink = NULL;
    fpx_st_stream *stream = NULL;
    size_t n = 0;

    for (size_t i = 0; i < N; i++) {
        const uint64_t shape[5] = { 1, i % 4, 4, 1, 1 };
        memcpy(shapes[i], shape, sizeof shape);
        infos[i] = (fpx_st_info){
            .name = dtypes[N - 1 - i], .dtype = dtypes[i], .ndim = 5, .shape = shapes[i]
        };
    }
    ck_assert_msg(fpx_st_sink_open(path, infos, N, pairs, 1, &sink, &err) == FPX_OK, "%s",
                  err.text);
    for (size_t i = 0; i < N; i++) {
        ck_assert_uint_eq(infos[i].bytes, infos[i].bits * 4 * (i % 4) / 8);
        for (uint64_t k = 0; k < infos[i].bytes; k++, byte++)
            ck_assert_int_eq(fpx_st_sink_write(sink, &byte, 1, &err), FPX_OK);
    }
    ck_assert_int_eq(fpx_st_sink_write(sink, &byte, 1, &err), FPX_EINVAL);
    ck_assert_msg(fpx_st_sink_close(sink, FPX_OK, &err) == FPX_OK, "%s", err.text);
    ck_assert_msg(fpx_st_stream_open(path, &stream, &err) == FPX_OK, "%s", err.text);
    const fpx_st_info *const found = fpx_st_stream_infos(stream, &n);
    ck_assert_uint_eq(n, N);
    byte = 0;
    for (size_t i = 0; i < N; i++) { /* empty ones come before what lies at the same place */
        ck_assert_str_eq(found[i].dtype, infos[i].dtype);
        ck_assert_uint_eq(found[i].count, 4 * (i % 4));
        ck_assert_uint_eq(found[i].offset, infos[i].offset);
        for (uint64_t k = 0; k < found[i].bytes; k += 5) {
            const size_t count = found[i].bytes - k < 5 ? (size_t)(found[i].bytes - k) : 5;
            ck_assert_int_eq(fpx_st_stream_read(stream, &found[i], k, got, count, &err), FPX_OK);
            for (size_t m = 0; m < count; m++, byte++)
                ck_assert_uint_eq(got[m], byte);
        }
        ck_assert_int_eq(fpx_st_stream_read(stream, &found[i], found[i].bytes, got, 1, &err),
                         FPX_EINVAL);
    }
    ck_assert_str_eq(fpx_st_stream_pairs(stream, &n)->value, "v");
    ck_assert_uint_eq(n, 1);
    fpx_st_stream_close(stream);
    fpx_st_stream_close(NULL);
    ck_assert_str_eq(fpx_st_dtype(&fpx_e2m1), "F4");
    ck_assert_ptr_null(fpx_st_dtype(&fpx_e3m4));
}
END_TEST

START_TEST(sinks_that_fail_leave_the_old_file)
{
    uint64_t odd[] = { 3 }, huge[] = { UINT64_MAX / 8 };
    fpx_st_info bad[] = { { .name = "a", .dtype = "F4", .ndim = 1, .shape = odd },
                          { .name = "a", .dtype = "F31", .ndim = 1, .shape = odd },
                          { .name = "a", .dtype = NULL, .ndim = 1, .shape = odd },
                          { .name = "", .dtype = "U8", .ndim = 1, .shape = odd },
                          { .name = "a", .dtype = "F64", .ndim = 1, .shape = huge } };
    fpx_st_info good = { .name = "a", .dtype = "U8", .ndim = 1, .shape = odd };
    fpx_st_sink *sink = NULL;
    fpx_st_file *file = NULL;
    int ends[2];

    write_samples();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(fpx_st_sink_open(path, &bad[i], 1, NULL, 0, &sink, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_st_sink_open(path, &good, 1, NULL, 0, &sink, &err), FPX_OK);
    ck_assert_int_eq(fpx_st_sink_close(sink, FPX_OK, &err), FPX_EINVAL); /* data is missing */
    ck_assert_int_eq(fpx_st_sink_open(path, &good, 1, NULL, 0, &sink, &err), FPX_OK);
    ck_assert_int_eq(fpx_st_sink_close(sink, FPX_EIO, &err), FPX_EIO);
    ck_assert_int_eq(fpx_st_open(path, &file, &err), FPX_OK);
    ck_assert(holds_samples(file));
    fpx_st_close(file);
    ck_assert_int_eq(scratch_count(), 1);

    fpx_st_stream *stream = NULL;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[0], STDIN_FILENO), 0);
    ck_assert_int_eq(fpx_st_stream_open("-", &stream, &err), FPX_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "pipe"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("safetensors");
    TCase *tc = tcase_create("safetensors");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, scratch_remove);
    tcase_add_test(tc, written_tensors_are_read_back);
    tcase_add_test(tc, file_without_tensors);
    tcase_add_test(tc, digest_is_the_defined_one);
    tcase_add_loop_test(tc, header_is_judged, 0, sizeof headers / sizeof headers[0]);
    tcase_add_test(tc, lengths_that_lie);
    tcase_add_test(tc, deep_header);
    tcase_add_test(tc, pieces_of_every_dtype);
    tcase_add_test(tc, sinks_that_fail_leave_the_old_file);
    tcase_add_test(tc, what_is_not_written);
    tcase_add_test(tc, full_disk_leaves_the_old_file);
    tcase_add_test(tc, every_cut_is_found);
    tcase_add_test(tc, every_flipped_bit_is_found);
    tcase_add_test(tc, damaged_headers);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
