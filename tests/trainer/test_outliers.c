/* test_outliers.c - model.outliers: channels 32 times as large in a model that computes the same. In FP32 every result of
 * a step's forward and backward pass has the same bits, but for the tensors that the factor is in, where it is exactly 32;
 * and a format with one scale a tensor sees the difference. */
#include <fpx/file.h>
#include <fpx/recipe.h>
#include <fpx/train.h>

#include "tiny_run.h"

enum { LETTERS = 3000, WIDTH = 8 };

static char folder[64], corpus_path[96];

static void make_folder(void)
{
    char text[LETTERS];
    uint64_t seed = 11;

    (void)snprintf(folder, sizeof folder, "/tmp/fpx-outliers-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(corpus_path, sizeof corpus_path, "%s/text", folder);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + (int)(tiny_random(&seed) % 26));
    MUST(fpx_file_write(corpus_path, text, sizeof text, err));
}

static void remove_folder(void)
{
    (void)unlink(corpus_path);
    ck_assert_int_eq(rmdir(folder), 0);
}

typedef struct running {
    fpx_experiment experiment;
    fpx_recipe *recipe;
    fpx_device *device;
    fpx_trainer *trainer;
} running;

static void start(running *r, const char *recipe, fpx_activation activation, uint32_t outliers)
{
    r->experiment = tiny_experiment(activation);
    r->experiment.data.corpus = corpus_path;
    r->experiment.model.outliers = outliers;
    r->recipe = tiny_recipe(recipe);
    r->device = tiny_device("cpu,threads=1");
    MUST(fpx_trainer_new(&r->experiment, r->recipe, &r->device, 1, FPX_KEEP_ALL, &r->trainer, err));
}

static void stop(running *r)
{
    fpx_trainer_free(r->trainer);
    fpx_device_close(r->device);
    fpx_recipe_free(r->recipe);
}

/* 2 of 8 channels: 0 and 4; 3 of 8: 0, 2, 4. */
static int is_one(size_t channel, uint32_t outliers)
{
    return outliers == 2 ? channel % 4 == 0 : channel == 0 || channel == 2 || channel == 4;
}

/* By which power of two an element is larger in the model with outliers. */
static float factor_of(const char *name, size_t channel, uint32_t outliers)
{
    const int norm = strstr(name, "attn.norm/") != NULL || strstr(name, "mlp.norm/") != NULL;
    const int behind = strstr(name, "attn.qkv/") != NULL || strstr(name, "mlp.up/") != NULL;
    const char *const leaf = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;

    if (!is_one(channel, outliers))
        return 1.0f;
    if (norm && (strcmp(leaf, "gain") == 0 || strcmp(leaf, "y") == 0))
        return 32.0f;
    if (norm && strcmp(leaf, "dgain") == 0)
        return 1.0f / 32;
    if (behind && (strcmp(leaf, "w") == 0 || strcmp(leaf, "dx") == 0))
        return 1.0f / 32;
    if (behind && strcmp(leaf, "dw") == 0)
        return 32.0f;
    return 1.0f;
}

/* What the parameters start as: only there do the names above stand before the optimizer has changed them. */
static size_t compare(const running *plain, const running *with, uint32_t outliers, int params)
{
    const fpx_program *program = fpx_trainer_model(plain->trainer)->program;
    size_t scaled = 0;

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);
        const int made = t->cls == FPX_TENSOR_ACTIVATION || t->cls == FPX_TENSOR_GRADIENT;

        if (!fpx_format_equal(&t->desc.format, &fpx_fp32) ||
            (params ? t->cls != FPX_TENSOR_PARAM
                    : !made || fpx_program_op_at(program, t->producer)->role == FPX_OPTIMIZER))
            continue;
        const float *a = fpx_exec_data(fpx_trainer_exec(plain->trainer), (uint32_t)i);
        const float *b = fpx_exec_data(fpx_trainer_exec(with->trainer), (uint32_t)i);

        for (size_t k = 0; k < fpx_tensor_count(&t->desc); k++) {
            const float factor = factor_of(t->name, k % WIDTH, outliers);
            const float want = a[k] * factor;

            scaled += factor != 1.0f && a[k] != 0.0f;
            if (memcmp(&want, &b[k], sizeof want) != 0)
                ck_abort_msg("%s, element %zu: %a, %a with outliers, factor %g", t->name, k,
                             (double)a[k], (double)b[k], (double)factor);
        }
    }
    return scaled;
}

START_TEST(the_same_function)
{
    const uint32_t outliers = _i / 2 == 0 ? 2 : 3;
    running plain, with;
    fpx_step_result a, b;
    double bits[2];

    start(&plain, "fp32", _i % 2 ? FPX_GELU : FPX_SWIGLU, 0);
    start(&with, "fp32", _i % 2 ? FPX_GELU : FPX_SWIGLU, outliers);
    ck_assert_uint_gt(compare(&plain, &with, outliers, 1), 0);
    MUST(fpx_trainer_evaluate(plain.trainer, &bits[0], err));
    MUST(fpx_trainer_evaluate(with.trainer, &bits[1], err));
    ck_assert(memcmp(&bits[0], &bits[1], sizeof bits[0]) == 0);
    MUST(fpx_trainer_step(plain.trainer, &a, err));
    MUST(fpx_trainer_step(with.trainer, &b, err));
    ck_assert(memcmp(&a.loss, &b.loss, sizeof a.loss) == 0);
    ck_assert(a.norm < b.norm); /* gradients of the weights behind are 32 times as large there */
    ck_assert_uint_gt(compare(&plain, &with, outliers, 0), 0);
    stop(&plain);
    stop(&with);
}
END_TEST

START_TEST(seen_by_scales)
{
    running plain, with;
    double bits[2];

    start(&plain, "fp8", FPX_SWIGLU, 0);
    start(&with, "fp8", FPX_SWIGLU, 2);
    MUST(fpx_trainer_evaluate(plain.trainer, &bits[0], err));
    MUST(fpx_trainer_evaluate(with.trainer, &bits[1], err));
    ck_assert(bits[0] != bits[1]);
    stop(&plain);
    stop(&with);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("outliers");
    TCase *c = tcase_create("outliers");

    tcase_add_checked_fixture(c, make_folder, remove_folder);
    tcase_add_loop_test(c, the_same_function, 0, 4);
    tcase_add_test(c, seen_by_scales);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
