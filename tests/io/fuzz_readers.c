/* fuzz_readers.c - damaged .npy, .safetensors and JSON Lines files: every one is refused with a text or read to its end, and
 * nothing is touched that is not there (the sanitizers' runs look). A fixed number of rounds from a printed seed;
 * built with -DFPX_LIBFUZZER it is the entry point of a fuzzer instead. */
#include <inttypes.h>

#include <fpx/npy.h>
#include <fpx/records.h>
#include <fpx/safetensors.h>

#include "scratch.h"

static char npy_path[PATH_ROOM], st_path[PATH_ROOM];

/* Two empty files. (scratch.h's own asserts need a running suite.) */
static void make_paths(void)
{
    const char *const tmp = getenv("TMPDIR");
    char *const paths[] = { npy_path, st_path };

    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(paths[i], PATH_ROOM, "%s/fpx-fuzz-XXXXXX", tmp != NULL ? tmp : "/tmp");
        const int fd = mkstemp(paths[i]);
        if (fd < 0 || close(fd) != 0)
            abort();
    }
}

/* 1 where the file was taken. */
static int read_npy(const char *path)
{
    fpx_npy_reader *reader = NULL;
    fpx_error err = { .status = FPX_OK };
    uint64_t piece[64];

    if (fpx_npy_open(path, &reader, &err) != FPX_OK) {
        if (err.text[0] == '\0' || reader != NULL)
            abort();
        return 0;
    }
    const uint64_t count = fpx_npy_count(fpx_npy_array_of(reader));
    fpx_status status = FPX_OK;
    for (uint64_t at = 0; at < count && status == FPX_OK; at += 64)
        status = fpx_npy_read(reader, piece, count - at < 64 ? (size_t)(count - at) : 64, &err);
    if (status != FPX_OK) /* a file's length was held against its shape */
        abort();
    fpx_npy_close(reader);
    fpx_npy_map map = { .file = NULL };
    if (fpx_npy_map_open(path, &map, &err) == FPX_OK) { /* big-endian is not mapped */
        const unsigned char *const bytes = map.data;
        const size_t size = (size_t)count * map.array.size;
        if (fpx_npy_count(&map.array) != count || (size > 0 && bytes[size - 1] + bytes[0] > 510) ||
            bytes + size != (const unsigned char *)map.file + map.bytes)
            abort();
        fpx_npy_map_close(&map);
    } else if (err.status != FPX_EUNSUPPORTED) {
        abort();
    }
    return 1;
}

static int read_st(const char *path)
{
    fpx_st_stream *stream = NULL;
    fpx_st_file *file = NULL;
    fpx_error err = { .status = FPX_OK };
    char piece[64];
    size_t n = 0;
    size_t npairs = 0;
    const fpx_status whole = fpx_st_open(path, &file, &err);

    if (whole != FPX_OK && err.text[0] == '\0')
        abort();
    err.text[0] = '\0';
    if (fpx_st_stream_open(path, &stream, &err) != FPX_OK) {
        if (err.text[0] == '\0' || whole == FPX_OK) /* in pieces, all is read that is read whole */
            abort();
        return 0;
    }
    const fpx_st_info *const infos = fpx_st_stream_infos(stream, &n);
    const fpx_st_pair *const pairs = fpx_st_stream_pairs(stream, &npairs);
    for (size_t i = 0; i < npairs; i++) {
        if (strlen(pairs[i].key) > 1000000 || strlen(pairs[i].value) > 1000000)
            abort();
    }
    for (size_t i = 0; i < n; i++) {
        for (uint64_t at = 0; at < infos[i].bytes; at += sizeof piece) {
            const uint64_t left = infos[i].bytes - at;
            const size_t count = left < sizeof piece ? (size_t)left : sizeof piece;
            if (fpx_st_stream_read(stream, &infos[i], at, piece, count, &err) != FPX_OK)
                abort();
        }
    }
    if (whole == FPX_OK && fpx_st_count(file) != n)
        abort();
    fpx_st_close(file);
    fpx_st_stream_close(stream);
    return 1;
}

/* 1 where the records were taken. */
static int read_records(const char *text, size_t count, int preferences)
{
    fpx_records records = { .n = 0 };
    fpx_error err = { .status = FPX_OK };

    if (fpx_records_parse("fuzz", text, count, preferences, &records, &err) != FPX_OK) {
        if (err.status != FPX_EFORMAT || err.text[0] == '\0' || records.at != NULL)
            abort();
        return 0;
    }
    for (size_t i = 0; i < records.n; i++) {
        if (records.at[i].prompt[0] == '\0' || records.at[i].response[0] == '\0' ||
            (records.at[i].rejected != NULL) != preferences ||
            (preferences && records.at[i].rejected[0] == '\0') ||
            (i > 0 && records.at[i].line <= records.at[i - 1].line))
            abort();
    }
    fpx_records_free(&records);
    return 1;
}

static void put(const char *path, const void *bytes, size_t count)
{
    (void)unlink(path); /* some file systems sync what is truncated and written again */
    FILE *f = fopen(path, "wb");

    if (f == NULL || fwrite(bytes, 1, count, f) != count || fclose(f) != 0)
        abort();
}

#ifdef FPX_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (st_path[0] == '\0')
        make_paths();
    put(npy_path, bytes, count);
    put(st_path, bytes, count);
    (void)read_npy(npy_path);
    (void)read_st(st_path);
    (void)read_records((const char *)bytes, count, 0);
    (void)read_records((const char *)bytes, count, 1);
    return 0;
}

#else

enum { SEEDS = 6, ROOM = 1 << 14, ROUNDS = 6000 };

static const char npy_start[] = "\x93NUMPY\1\0";
static const char *const npy_seeds[SEEDS] = {
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }\n",
    "{'descr': '>f8', 'fortran_order': False, 'shape': (6,), }   \n",
    "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 48, 1), }\n",
    "{'descr': '<V2', 'fortran_order': False, 'shape': (2, 3, 4), }\n",
    "{\"shape\": (), \"fortran_order\": False, \"descr\": \"<f8\", }\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296), }",
};
static const size_t npy_bytes[SEEDS] = { 48, 48, 48, 48, 8, 0 };

#define T(NAME, DTYPE, SHAPE, FROM, TO)                                                            \
    "\"" NAME "\":{\"dtype\":\"" DTYPE "\",\"shape\":" SHAPE ",\"data_offsets\":[" FROM "," TO "]" \
    "}"
static const char *const st_seeds[SEEDS] = {
    "{" T("a", "F32", "[2,3]", "0", "24") "," T("b", "BF16", "[12]", "24", "48") "}",
    "{" T("a", "F4", "[2,4]", "0", "4") "," T("b", "F6_E2M3", "[4]", "4", "7") "," //
    T("c", "F8_E8M0", "[41]", "7", "48") "}",
    "{\"__metadata__\":{\"fpx.scale.a\":\"2\",\"k\":\"v\"}," T("a", "I64", "[6]", "0", "48") "}  ",
    "{" T("a", "BOOL", "[0,7]", "0", "0") "," T("b", "F64", "[]", "0", "8") "}",
    "{}",
    "{" T("long name \\u00e9", "F8_E4M3FNUZ", "[1,1,1,1,1,3]", "0", "3") "}",
};
static const size_t st_bytes[SEEDS] = { 48, 48, 48, 8, 0, 3 };

/* The seed's file in bytes; its length. */
static size_t make_seed(size_t i, int is_npy, char *ret_bytes)
{
    const char *const header = is_npy ? npy_seeds[i] : st_seeds[i];
    const size_t length = strlen(header), data = is_npy ? npy_bytes[i] : st_bytes[i];
    const size_t width = is_npy ? 2 : 8, start = is_npy ? sizeof npy_start - 1 : 0;

    memset(ret_bytes, 0x11, ROOM);
    memcpy(ret_bytes, npy_start, start);
    for (size_t k = 0; k < width; k++)
        ret_bytes[start + k] = (char)(unsigned char)(length >> (8 * k));
    memcpy(ret_bytes + start + width, header, length);
    return start + width + length + data;
}

/* Numbers are where headers hurt: one digit, or a run of them, becomes others. */
static void damage_number(char *bytes, size_t count, uint64_t *state)
{
    for (int tries = 0; tries < 20; tries++) {
        const size_t at = random_next(state) % count;
        if (bytes[at] >= '0' && bytes[at] <= '9') {
            bytes[at] = (char)('0' + random_next(state) % 10);
            return;
        }
    }
}

static int fuzz(int is_npy, uint64_t *state)
{
    static char bytes[2 * ROOM];
    const char *const path = is_npy ? npy_path : st_path;
    const size_t rounds = effort(ROUNDS);
    size_t taken = 0;

    for (size_t i = 0; i < SEEDS; i++) {
        put(path, bytes, make_seed(i, is_npy, bytes));
        if (!(is_npy ? read_npy(path) : read_st(path))) {
            (void)printf("FAILED: seed %zu of %s is not read\n", i, path);
            return 0;
        }
    }
    for (size_t round = 0; round < rounds; round++) {
        size_t count = make_seed(random_next(state) % SEEDS, is_npy, bytes);
        for (size_t k = random_next(state) % 4; k-- > 0 && count > 0 && count < ROOM;)
            damage(bytes, &count, state);
        if (count > 0 && random_next(state) % 2 == 0)
            damage_number(bytes, count, state);
        if (random_next(state) % 8 == 0)
            count = random_next(state) % (count + 1);
        put(path, bytes, count);
        taken += (size_t)(is_npy ? read_npy(path) : read_st(path));
    }
    (void)printf("%s: %zu rounds, %zu files read, the others refused\n",
                 is_npy ? "npy" : "safetensors", rounds, taken);
    return taken > 0 && taken < rounds;
}

static int fuzz_records(uint64_t *state)
{
    static const char *const seeds[2] = {
        "{\"prompt\": \"a b\", \"response\": \"c\"}\n\n"
        "{\"response\": \"\\u00e9\\n\", \"id\": [1.5e3, null], \"prompt\": \"x\"}\n",
        "{\"prompt\": \"a b\", \"chosen\": \"c\", \"rejected\": \"d e\"}\n"
        "{\"rejected\": \"\\u00e9\\n\", \"id\": [1.5e3, null], \"chosen\": \"y\", \"prompt\": "
        "\"x\"}\n"
    };
    const size_t rounds = effort(ROUNDS);
    char *exact, bytes[512];
    size_t taken = 0;

    for (size_t round = 0; round < rounds; round++) {
        const int preferences = (int)(round % 2);
        size_t count = strlen(seeds[preferences]);
        memcpy(bytes, seeds[preferences], count);
        for (size_t k = random_next(state) % 3; k-- > 0 && count > 0;)
            damage(bytes, &count, state);
        if ((exact = malloc(count > 0 ? count : 1)) ==
            NULL) /* so that a sanitizer sees a byte too many */
            abort();
        memcpy(exact, bytes, count);
        taken += (size_t)read_records(exact, count, preferences);
        free(exact);
    }
    (void)printf("records: %zu rounds, %zu texts read, the others refused\n", rounds, taken);
    return taken > 0 && taken < rounds;
}

int main(void)
{
    const char *const text = getenv("FPX_TEST_SEED");
    uint64_t state = text != NULL ? strtoull(text, NULL, 0) : 0x20260007;

    state += state == 0;
    (void)printf("FPX_TEST_SEED 0x%" PRIx64 "\n", state);
    make_paths();
    const int good = fuzz(1, &state) & fuzz(0, &state) & fuzz_records(&state);
    (void)unlink(npy_path);
    (void)unlink(st_path);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
