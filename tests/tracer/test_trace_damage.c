/* test_trace_damage.c - truncated, flipped, overwritten, missing and foreign files: the reader says what
 * is wrong and where, never crashes, and never takes damaged values for recorded ones. */
#include <check.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "trace_fixture.h"
#include "trace_seal.h"

enum { STEPS = 4, FILES = 3 };

static const char *const names[FILES] = { "run.h5", "run.h5.seg/000000.h5",
                                          "run.h5.seg/000001.h5" };
static char *folder;
static char *path;
static char *file_paths[FILES];
static uint8_t *contents[FILES];
static size_t sizes[FILES];

/* In place: a truncated and rewritten file is flushed by some file systems, thousands of times here. */
static void write_file(const char *name, const void *data, size_t n)
{
    const int fd = open(name, O_WRONLY | O_CREAT, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fpx_pwrite(fd, data, n, 0), 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)n), 0);
    ck_assert_int_eq(close(fd), 0);
}

static void restore(void)
{
    for (int i = 0; i < FILES; i++)
        write_file(file_paths[i], contents[i], sizes[i]);
}

static void setup(void)
{
    fpx_trace_writer *writer = NULL;

    folder = fixture_folder();
    path = fixture_path(folder, names[0]);
    ck_assert_int_eq(fpx_trace_create(path, fixture_layout(), 3, &writer, NULL), FPX_OK);
    for (uint64_t step = 0; step < STEPS; step++) {
        if (step == 3) { /* the fourth in a segment with room for two */
            ck_assert_int_eq(fpx_trace_close(writer, NULL), FPX_OK);
            ck_assert_int_eq(fpx_trace_append(path, fixture_layout(), 3, 2, &writer, NULL), FPX_OK);
        }
        ck_assert_int_eq(fixture_step(writer, step, NULL), FPX_OK);
    }
    ck_assert_int_eq(fpx_trace_close(writer, NULL), FPX_OK);
    for (int i = 0; i < FILES; i++) {
        struct stat info;
        file_paths[i] = fixture_path(folder, names[i]);
        ck_assert_int_eq(stat(file_paths[i], &info), 0);
        sizes[i] = (size_t)info.st_size;
        contents[i] = malloc(sizes[i]);
        FILE *file = fopen(file_paths[i], "rb");
        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fread(contents[i], 1, sizes[i], file), sizes[i]);
        fclose(file);
    }
}

static void teardown(void)
{
    for (int i = 0; i < FILES; i++) {
        free(contents[i]);
        free(file_paths[i]);
    }
    free(path);
    fixture_remove(folder);
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

static void expect_failure(fpx_status status, const fpx_error *err)
{
    if (status != FPX_EIO && status != FPX_EFORMAT && status != FPX_EUNSUPPORTED &&
        status != FPX_ENUMERIC && status != FPX_ENOMEM)
        ck_abort_msg("status %d", status);
    if (err->status != status || strstr(err->text, folder) == NULL)
        ck_abort_msg("status %d, but the text is: %s", status, err->text);
}

/* Reads all there is; 1 where everything was read and verified. */
static int read_all(void)
{
    uint8_t codes[FIXTURE_MAX_BYTES];
    fpx_stats stats[FIXTURE_RECORDS];
    fpx_figure figures[FIXTURE_RECORDS];
    fpx_trace *trace = NULL;
    fpx_error err = { .text = "" };
    size_t checked = 0;
    int good = 1;
    fpx_status status = fpx_trace_open(path, &trace, &err);

    if (status != FPX_OK) {
        expect_failure(status, &err);
        ck_assert_ptr_null(trace);
        return 0;
    }
    /* A layout that was read is a whole one. */
    ck_assert_uint_eq(fpx_trace_layout_of(trace)->nrecords, FIXTURE_RECORDS);
    for (size_t i = 0; i < fpx_trace_steps(trace); i++) {
        status = fpx_trace_stats(trace, i, stats, NULL, &err);
        for (size_t mode = 0; mode < FIXTURE_MODES && status == FPX_OK; mode++)
            status = fpx_trace_figures(trace, i, mode, figures, &err);
        for (size_t r = 0; r < FIXTURE_RECORDS && status == FPX_OK; r++) {
            if (r != 3) /* the one without values */
                status = fpx_trace_values(trace, i, r, codes, &err);
        }
        if (status != FPX_OK) {
            expect_failure(status, &err);
            good = 0;
        }
    }
    status = fpx_trace_verify(trace, &checked, &err);
    if (status != FPX_OK)
        expect_failure(status, &err);
    good = good && status == FPX_OK;
    fpx_trace_free(trace);
    return good;
}

/* What verifies must be what was written, as far as digests reach; less of it is possible where the
 * counter was hit. */
static void check_survivors(size_t *ret_steps)
{
    uint8_t expected[FIXTURE_MAX_BYTES];
    uint8_t got[FIXTURE_MAX_BYTES];
    fpx_trace *trace = NULL;

    ck_assert_int_eq(fpx_trace_open(path, &trace, NULL), FPX_OK);
    const fpx_trace_layout *layout = fpx_trace_layout_of(trace);
    for (size_t i = 0; i < fpx_trace_steps(trace); i++) {
        for (size_t r = 0; r < FIXTURE_RECORDS; r++) {
            if (!layout->records[r].values)
                continue;
            ck_assert_int_eq(fpx_trace_values(trace, i, r, got, NULL), FPX_OK);
            fixture_codes(i, r, expected);
            if (memcmp(expected, got, fpx_tensor_bytes(&layout->records[r].desc)) != 0)
                ck_abort_msg("a damaged value of step %zu, record %zu was taken for good", i, r);
        }
    }
    *ret_steps = fpx_trace_steps(trace);
    fpx_trace_free(trace);
}

static uint64_t seed_of_run(void)
{
    const char *text = getenv("FPX_TEST_SEED");
    const uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

    printf("FPX_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

START_TEST(truncated_files)
{
    uint64_t seed = seed_of_run();

    ck_assert_int_eq(read_all(), 1);
    for (size_t i = 0; i < 150 * fixture_effort(); i++) {
        const size_t f = (size_t)(fixture_random(&seed) % FILES);
        /* Every length of the first bytes, then any. */
        const size_t n = i < 20 ? i : (size_t)(fixture_random(&seed) % sizes[f]);

        ck_assert_int_eq(truncate(file_paths[f], (off_t)n), 0);
        if (read_all())
            ck_abort_msg("%s of %zu bytes cut to %zu passed", names[f], sizes[f], n);
        restore();
    }
}
END_TEST

/* Damages one file in one of four ways. */
static void damage(uint64_t *seed)
{
    const size_t f = (size_t)(fixture_random(seed) % FILES);
    uint8_t *bytes = malloc(sizes[f]);
    const uint64_t way = fixture_random(seed) % 4;
    const size_t at = (size_t)(fixture_random(seed) % sizes[f]);
    size_t n = 1 + (size_t)(fixture_random(seed) % (way == 0 ? 1 : 64));

    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, contents[f], sizes[f]);
    if (n > sizes[f] - at)
        n = sizes[f] - at;
    for (size_t i = at; i < at + n; i++) {
        const uint64_t r = fixture_random(seed);
        if (way == 0)
            bytes[i] ^= (uint8_t)(1u << r % 8);
        else if (way == 1)
            bytes[r % sizes[f]] ^= (uint8_t)(1u << (r >> 32) % 8);
        else
            bytes[i] = way == 2 ? (uint8_t)r : 0;
    }
    write_file(file_paths[f], bytes, sizes[f]);
    free(bytes);
}

START_TEST(damaged_bytes)
{
    uint64_t seed = seed_of_run();
    size_t passed = 0;
    const size_t rounds = 600 * fixture_effort();

    for (size_t i = 0; i < rounds; i++) {
        size_t steps = 0;

        damage(&seed);
        if (read_all()) {
            check_survivors(&steps);
            passed++;
        }
        restore();
    }
    printf("%zu of %zu damaged traces verified: bytes outside digests and structure\n", passed,
           rounds);
}
END_TEST

/* Not one bit of the master can change unseen. */
START_TEST(every_bit_of_the_master)
{
    const size_t stride = fixture_effort() > 1 ? 1 : 7;
    fpx_trace *trace = NULL;
    fpx_error err;

    for (size_t bit = 0; bit < 8 * sizes[0]; bit += stride) {
        contents[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
        write_file(path, contents[0], sizes[0]);
        contents[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
        const fpx_status status = fpx_trace_open(path, &trace, &err);
        if (status != FPX_EFORMAT)
            ck_abort_msg("bit %zu flipped: status %d", bit, status);
    }
    restore();
    ck_assert_int_eq(read_all(), 1);
}
END_TEST

/* Where the rows of a segment's dataset lie. */
static size_t rows_of(const char *segment, const char *name, size_t *ret_size)
{
    const hid_t file = H5Fopen(segment, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    const size_t offset = (size_t)H5Dget_offset(dataset);

    ck_assert_int_ge(dataset, 0);
    *ret_size = (size_t)H5Dget_storage_size(dataset);
    H5Dclose(dataset);
    H5Fclose(file);
    return offset;
}

/* Nor one of a segment, outside of its rows: HDF5 never meets a damaged header. */
START_TEST(structure_of_a_segment)
{
    static const char *const rows[] = { "committed",
                                        "steps",
                                        "digest/record",
                                        "digest/op",
                                        "digest/step",
                                        "digest/chain",
                                        "digest/part",
                                        "stats",
                                        "exponents",
                                        "figures/local:fp64",
                                        "figures/free:fp64",
                                        "values/layer.0:x",
                                        "values/layer.0:x:scale",
                                        "values/layer.0:y",
                                        "values/tokens",
                                        "values/w4",
                                        "values/w4:unpacked",
                                        "values/g",
                                        "values/loss" };
    uint8_t *is_row = calloc(1, sizes[1]);
    const size_t stride = fixture_effort() > 1 ? 1 : 5;
    fpx_trace *trace = NULL;
    fpx_error err;
    size_t structure = 0;

    ck_assert_ptr_nonnull(is_row);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = 0;
        const size_t offset = rows_of(file_paths[1], rows[i], &size);
        memset(is_row + offset, 1, size);
    }
    for (size_t at = 0; at < sizes[1]; at++) {
        if (is_row[at] || structure++ % stride != 0)
            continue;
        contents[1][at] ^= (uint8_t)(1u << at % 8);
        write_file(file_paths[1], contents[1], sizes[1]);
        contents[1][at] ^= (uint8_t)(1u << at % 8);
        const fpx_status status = fpx_trace_open(path, &trace, &err);
        if (status != FPX_EFORMAT)
            ck_abort_msg("byte %zu changed: status %d", at, status);
    }
    free(is_row);
    ck_assert_uint_gt(structure, 1000);
}
END_TEST

/* Nor one of a committed row, of any dataset: verification finds it, and so does who reads it. */
START_TEST(every_committed_row)
{
    static const char *const rows[] = { "steps",     "digest/part",        "stats",
                                        "exponents", "figures/local:fp64", "figures/free:fp64" };
    fpx_stats stats[FIXTURE_RECORDS];
    fpx_figure figures[FIXTURE_RECORDS];
    size_t checked = 0;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = 0;
        const size_t offset = rows_of(file_paths[1], rows[i], &size), stride = size / 40 + 1;

        for (size_t at = offset; at < offset + size; at += stride) {
            fpx_trace *trace = NULL;
            fpx_status status, read = FPX_OK;
            fpx_error err;

            contents[1][at] ^= (uint8_t)(1u << at % 8);
            write_file(file_paths[1], contents[1], sizes[1]);
            contents[1][at] ^= (uint8_t)(1u << at % 8);
            status = fpx_trace_open(path, &trace, &err);
            if (i == 0 && status == FPX_EFORMAT)
                continue; /* steps that do not rise */
            ck_assert_int_eq(status, FPX_OK);
            if (fpx_trace_verify(trace, &checked, &err) != FPX_ENUMERIC)
                ck_abort_msg("%s, byte %zu flipped: verified", rows[i], at - offset);
            for (size_t s = 0; s < fpx_trace_steps(trace) && read == FPX_OK; s++) {
                read = fpx_trace_stats(trace, s, stats, NULL, &err);
                for (size_t m = 0; m < FIXTURE_MODES && read == FPX_OK; m++)
                    read = fpx_trace_figures(trace, s, m, figures, &err);
            }
            if (i > 1 && read != FPX_EFORMAT)
                ck_abort_msg("%s, byte %zu flipped: was read", rows[i], at - offset);
            fpx_trace_free(trace);
        }
    }
    restore();
    ck_assert_int_eq(read_all(), 1);
}
END_TEST

START_TEST(missing_and_foreign_files)
{
    fpx_trace *trace = NULL;
    fpx_error err;
    char *other = fixture_path(folder, "other.h5");

    ck_assert_int_eq(fpx_trace_open(other, &trace, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "other.h5"));
    ck_assert_int_eq(fpx_trace_open(folder, &trace, &err), FPX_EIO);
    write_file(other, "", 0);
    ck_assert_int_eq(fpx_trace_open(other, &trace, &err), FPX_EFORMAT);
    write_file(other, "hello, world\n", 13);
    ck_assert_int_eq(fpx_trace_open(other, &trace, &err), FPX_EFORMAT);

    const hid_t file = H5Fcreate(other, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Fclose(file), 0);
    ck_assert_int_eq(fpx_trace_open(other, &trace, &err), FPX_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "not an fpx trace"));

    ck_assert_int_eq(fpx_trace_open(file_paths[1], &trace, &err), FPX_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "segment"));

    ck_assert_int_eq(remove(file_paths[1]), 0);
    ck_assert_int_eq(fpx_trace_open(path, &trace, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "000000.h5"));
    write_file(file_paths[1], contents[2], sizes[2]); /* another segment of the same trace */
    ck_assert_int_eq(fpx_trace_open(path, &trace, &err), FPX_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "000000.h5"));
    write_file(file_paths[1], contents[0], sizes[0]); /* a master in place of a segment */
    ck_assert_int_eq(fpx_trace_open(path, &trace, &err), FPX_EFORMAT);
    ck_assert_ptr_null(trace);
    restore();
    ck_assert_int_eq(mkfifo(other, 0600) == 0 || remove(other) == 0, 1);
    (void)remove(other);
    ck_assert_int_eq(mkfifo(other, 0600), 0); /* must not wait for a writer */
    ck_assert_int_eq(fpx_trace_open(other, &trace, &err), FPX_EIO);
    free(other);
}
END_TEST

/* Seals a file anew, as someone who means it would: what is behind the seal must hold alone. */
static void seal_again(const char *name)
{
    const int fd = open(name, O_RDWR);
    struct stat info;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &info), 0);
    ck_assert_int_eq(fpx_seal_write(fd, (uint64_t)info.st_size, NULL, 0), 0);
    close(fd);
}

/* Another dataset in place of one of segment 0, with room of its own: only one thing is wrong with it. */
enum wrong { NOTHING, TYPE, SIGN, ORDER, RANK, SHORT_AXIS, FEW_ROWS, CHUNKED, UNALLOCATED, WRONGS };

static const char *const replaced[] = { "committed",         "steps",     "stats",
                                        "digest/record",     "exponents", "digest/chain",
                                        "figures/free:fp64", "values/g",  "values/layer.0:x" };

static hid_t wrong_type(enum wrong wrong, hid_t type)
{
    const hid_t changed = H5Tcopy(type);

    if (wrong == TYPE) {
        H5Tclose(changed);
        return H5Tcopy(H5T_IEEE_F32LE);
    }
    if (wrong == SIGN && H5Tget_class(type) == H5T_INTEGER)
        H5Tset_sign(changed, H5T_SGN_2);
    if (wrong == ORDER || wrong == SIGN) /* a byte has no order, a float64 no sign to change */
        H5Tset_order(changed, H5T_ORDER_BE);
    return changed;
}

static hid_t wrong_space(enum wrong wrong, hid_t space)
{
    hsize_t dims[H5S_MAX_RANK] = { 0 };
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);

    if (wrong == RANK)
        dims[rank++] = 1;
    if (wrong == SHORT_AXIS)
        dims[rank - 1]++;
    if (wrong == FEW_ROWS)
        dims[0]++;
    return H5Screate_simple(rank, dims, NULL);
}

static hid_t wrong_layout(enum wrong wrong, int rank)
{
    static const hsize_t chunk[H5S_MAX_RANK] = { 1, 1, 1, 1, 1 };
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);

    if (wrong == CHUNKED)
        H5Pset_chunk(plist, rank, chunk);
    H5Pset_alloc_time(plist, wrong == UNALLOCATED ? H5D_ALLOC_TIME_LATE : H5D_ALLOC_TIME_EARLY);
    return plist;
}

static void replace(const char *name, enum wrong wrong)
{
    const hid_t file = H5Fopen(file_paths[1], H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t old = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t old_type = H5Dget_type(old);
    const hid_t old_space = H5Dget_space(old);
    const hid_t type = wrong_type(wrong, old_type);
    const hid_t space = wrong_space(wrong, old_space);
    const hid_t plist = wrong_layout(wrong, H5Sget_simple_extent_ndims(space));
    uint8_t *data = calloc(1, (size_t)H5Dget_storage_size(old));

    ck_assert_int_ge(H5Dread(old, old_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
    H5Dclose(old);
    ck_assert_int_ge(H5Ldelete(file, name, H5P_DEFAULT), 0);
    const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    ck_assert_int_ge(dataset, 0);
    if (wrong == NOTHING)
        ck_assert_int_ge(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
    free(data);
    H5Dclose(dataset);
    H5Pclose(plist);
    H5Sclose(space);
    H5Sclose(old_space);
    H5Tclose(type);
    H5Tclose(old_type);
    H5Fclose(file);
    seal_again(file_paths[1]);
}

/* read_all where a failure to open must be about this dataset. */
static int read_all_of(const char *dataset)
{
    fpx_trace *trace = NULL;
    fpx_error err;

    if (fpx_trace_open(path, &trace, &err) == FPX_OK)
        fpx_trace_free(trace);
    else if (strstr(err.text, dataset) == NULL)
        ck_abort_msg("'%s' is wrong, but: %s", dataset, err.text);
    return read_all();
}

START_TEST(datasets_of_another_kind)
{
    const char *name = replaced[_i];
    const int bytes = strncmp(name, "digest/", 7) == 0 || strcmp(name, "values/layer.0:x") == 0;

    for (int wrong = NOTHING; wrong < WRONGS; wrong++) {
        if (wrong == ORDER && bytes)
            continue;
        if (wrong == FEW_ROWS && strcmp(name, "steps") == 0)
            continue; /* `steps` says how many rows there are: then the others are wrong */
        replace(name, (enum wrong)wrong);
        if (read_all_of(name) != (wrong == NOTHING))
            ck_abort_msg("'%s', wrong in way %d", name, wrong);
        restore();
    }
}
END_TEST

START_TEST(impossible_counters)
{
    static const uint64_t counts[] = { 4, UINT64_MAX, UINT64_C(1) << 63, UINT32_MAX };
    fpx_trace *trace = NULL;
    fpx_error err;
    size_t size = 0;
    const size_t offset = rows_of(file_paths[1], "committed", &size);

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) { /* there is room for 3 */
        memcpy(contents[1] + offset, &counts[i], sizeof counts[i]);
        restore();
        ck_assert_int_eq(fpx_trace_open(path, &trace, &err), FPX_EFORMAT);
        ck_assert_ptr_nonnull(strstr(err.text, "'committed'"));
    }
    const uint64_t two = 2; /* a step less is missed by the chain between segments */
    memcpy(contents[1] + offset, &two, sizeof two);
    restore();
    ck_assert_int_eq(fpx_trace_open(path, &trace, &err), FPX_OK);
    ck_assert_uint_eq(fpx_trace_steps(trace), STEPS - 1);
    ck_assert_int_eq(fpx_trace_verify(trace, &size, &err), FPX_ENUMERIC);
    ck_assert_ptr_nonnull(strstr(err.text, "does not continue"));
    fpx_trace_free(trace);
}
END_TEST

START_TEST(step_numbers_that_do_not_rise)
{
    fpx_trace *trace = NULL;
    fpx_error err;
    size_t size = 0;
    const size_t offset = rows_of(file_paths[1], "steps", &size);

    contents[1][offset + 8] = 0; /* 0, 0, 2 */
    restore();
    ck_assert_int_eq(fpx_trace_open(path, &trace, &err), FPX_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "'steps'"));
    contents[1][offset + 8] = 1;
    contents[1][offset + 16] = 9; /* beyond the next segment's first */
    restore();
    ck_assert_int_eq(fpx_trace_open(path, &trace, &err), FPX_EFORMAT);
}
END_TEST

/* A link to the same dataset in another file: addresses mean nothing there. */
START_TEST(links_elsewhere_are_refused)
{
    char *copy = fixture_path(folder, "copy.h5");

    write_file(copy, contents[1], sizes[1]);
    const hid_t file = H5Fopen(file_paths[1], H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert_int_ge(H5Ldelete(file, "values/g", H5P_DEFAULT), 0);
    ck_assert_int_ge(
        H5Lcreate_external(copy, "/values/g", file, "values/g", H5P_DEFAULT, H5P_DEFAULT), 0);
    H5Fclose(file);
    seal_again(file_paths[1]);
    ck_assert_int_eq(read_all_of("values/g"), 0);
    free(copy);
}
END_TEST

/* Every mismatch that verify must name, made by hand: values, then each level of the tree. */
START_TEST(verify_names_what_differs)
{
    static const struct {
        const char *dataset, *text;
    } cases[] = {
        { "values/layer.0:y", "'layer.0/y'" }, { "digest/record", "'layer.0/x'" },
        { "digest/op", "'layer.0/quantize'" }, { "digest/step", "operations'" },
        { "digest/chain", "chain digest" },
    };
    fpx_trace *trace = NULL;
    fpx_error err;
    size_t checked = 77;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = 0;
        const size_t offset = rows_of(file_paths[1], cases[i].dataset, &size);

        contents[1][offset + size / 3] ^= 1; /* in the second of three steps */
        restore();
        contents[1][offset + size / 3] ^= 1;
        ck_assert_int_eq(fpx_trace_open(path, &trace, &err), FPX_OK);
        ck_assert_int_eq(fpx_trace_verify(trace, &checked, &err), FPX_ENUMERIC);
        if (strstr(err.text, "step 1:") == NULL || strstr(err.text, cases[i].text) == NULL)
            ck_abort_msg("'%s' damaged, but: %s", cases[i].dataset, err.text);
        ck_assert_uint_eq(checked, 77);
        fpx_trace_free(trace);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trace_damage");
    TCase *tc = tcase_create("damage");

    tcase_set_timeout(tc, 900);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, truncated_files);
    tcase_add_test(tc, damaged_bytes);
    tcase_add_test(tc, every_bit_of_the_master);
    tcase_add_test(tc, structure_of_a_segment);
    tcase_add_test(tc, every_committed_row);
    tcase_add_test(tc, missing_and_foreign_files);
    tcase_add_loop_test(tc, datasets_of_another_kind, 0, sizeof replaced / sizeof *replaced);
    tcase_add_test(tc, impossible_counters);
    tcase_add_test(tc, step_numbers_that_do_not_rise);
    tcase_add_test(tc, links_elsewhere_are_refused);
    tcase_add_test(tc, verify_names_what_differs);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
