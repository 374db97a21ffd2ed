/* scratch.h - a folder of its own for each test, files in it, and reproducible random numbers. */
#ifndef TESTS_IO_SCRATCH_H
#define TESTS_IO_SCRATCH_H

#include <check.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 512 };

static char scratch[PATH_ROOM / 2];

static inline void scratch_make(void)
{
    const char *tmp = getenv("TMPDIR");

    (void)snprintf(scratch, sizeof scratch, "%s/fpx-io-XXXXXX", tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
}

/* Files in the scratch folder; not the folders in it. */
static inline int scratch_count(void)
{
    DIR *d = opendir(scratch);
    int n = 0;

    ck_assert_ptr_nonnull(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static inline void scratch_path(const char *name, char ret_path[PATH_ROOM])
{
    (void)snprintf(ret_path, PATH_ROOM, "%s/%s", scratch, name);
}

static inline void scratch_remove(void)
{
    DIR *d = opendir(scratch);
    char path[PATH_ROOM + 256];

    ck_assert_ptr_nonnull(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        (void)snprintf(path, sizeof path, "%s/%s", scratch, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(path) != 0)
            (void)rmdir(path);
    }
    closedir(d);
    ck_assert_int_eq(rmdir(scratch), 0);
}

static inline void scratch_write(const char *path, const void *bytes, size_t count)
{
    (void)unlink(path); /* some file systems sync what is truncated and written again */
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, count, f), count);
    ck_assert_int_eq(fclose(f), 0);
}

/* xorshift64*: state must not be 0. */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Rounds of a random test: FPX_TEST_EFFORT times as many (1 where it is not set). */
static inline size_t effort(size_t rounds)
{
    const char *text = getenv("FPX_TEST_EFFORT");
    const long factor = text != NULL ? strtol(text, NULL, 10) : 1;

    return rounds * (size_t)(factor > 0 ? factor : 1);
}

/* One random damage to text[0 .. *count), which has room for twice as much: a byte changed, a piece cut out,
 * doubled or overwritten by another piece. */
static inline void damage(char *text, size_t *count, uint64_t *state)
{
    if (*count < 2)
        return;
    const size_t at = random_next(state) % *count, from = random_next(state) % *count;
    size_t length = 1 + random_next(state) % 16;

    switch (random_next(state) % 5) {
    case 0:
        text[at] = (char)(text[at] ^ (1 << random_next(state) % 8));
        break;
    case 1:
        text[at] = "{}[]:,-#&*!|>'\"%@` \t\n0eE"[random_next(state) % 24];
        break;
    case 2:
        length = length < *count - at ? length : *count - at;
        memmove(text + at, text + at + length, *count - at - length);
        *count -= length;
        break;
    case 3:
        length = length < *count - at ? length : *count - at;
        memmove(text + at + length, text + at, *count - at);
        *count += length;
        break;
    default:
        length = length < *count - at ? length : *count - at;
        length = length < *count - from ? length : *count - from;
        memmove(text + at, text + from, length);
        break;
    }
}

static inline int run_suite(Suite *s)
{
    SRunner *runner = srunner_create(s);

    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif /* TESTS_IO_SCRATCH_H */
