/* corpus.c - bytes of a text as batches of windows, in an order drawn from the seed; no byte is an input
 * twice. */
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/file.h>
#include <fpx/stream.h>
#include <fpx/train.h>

#include "sites.h"

enum { CORPUS_MAX = 1 << 30 }; /* 1 GiB in memory; larger corpora need mapped token files */

struct fpx_corpus {
    char *bytes;
    size_t count;
    size_t sequence, batch;
    size_t *order; /* window of each place in training */
    size_t train;  /* windows for training: [0, train) of the text */
    size_t valid;  /* batches of validation, from `valid_from` on */
    size_t valid_from;
};

/* Fisher-Yates with the seed's stream: word i decides the place of window i. The modulo's bias is below
 * windows / 2^32. */
static void shuffle(fpx_corpus *corpus, uint64_t seed)
{
    const fpx_stream stream = { .seed = seed, .site = SITE_DATA_ORDER };

    for (size_t i = 0; i < corpus->train; i++)
        corpus->order[i] = i;
    for (size_t i = corpus->train; i > 1; i--) {
        const size_t j = fpx_stream_u32(&stream, i) % i;
        const size_t t = corpus->order[i - 1];

        corpus->order[i - 1] = corpus->order[j];
        corpus->order[j] = t;
    }
}

static fpx_status divide(fpx_corpus *corpus, const fpx_experiment *e, fpx_error *err)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const size_t valid_bytes = (size_t)(e->data.validation * (double)corpus->count);
    const size_t train_bytes = corpus->count - valid_bytes, t = corpus->sequence;

    fpx_fpenv_leave(env);
    if (t == 0 || corpus->batch == 0)
        return fpx_error_set(err, FPX_EINVAL, "data: sequence and batch must be at least 1");
    corpus->train = train_bytes > t ? (train_bytes - 1) / t : 0;
    corpus->valid_from = train_bytes;
    corpus->valid = valid_bytes > t ? (valid_bytes - 1) / t / corpus->batch : 0;
    if (corpus->train < corpus->batch || (e->data.validation > 0.0 && corpus->valid == 0))
        return fpx_error_set(
            err, FPX_EINVAL,
            "%s: %zu bytes are too short for one batch of %zu sequences of %zu bytes in "
            "training and one in validation",
            e->data.corpus, corpus->count, corpus->batch, t);
    corpus->order = calloc(corpus->train, sizeof *corpus->order);
    if (corpus->order == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", e->data.corpus);
    shuffle(corpus, e->seed);
    return FPX_OK;
}

fpx_status fpx_corpus_new(const fpx_experiment *experiment, fpx_corpus **ret_corpus, fpx_error *err)
{
    fpx_corpus *corpus = calloc(1, sizeof *corpus);
    fpx_status status;
    char sum[65];

    if (corpus == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "corpus: out of memory");
    corpus->sequence = experiment->data.sequence;
    corpus->batch = experiment->data.batch;
    status =
        fpx_file_read(experiment->data.corpus, CORPUS_MAX, &corpus->bytes, &corpus->count, err);
    if (status == FPX_OK && experiment->data.sha256 != NULL) {
        fpx_sha256_text(corpus->bytes, corpus->count, sum);
        if (strcmp(sum, experiment->data.sha256) != 0)
            status =
                fpx_error_set(err, FPX_EFORMAT,
                              "%s: sha256 is %s, but the experiment expects %s: it is another text",
                              experiment->data.corpus, sum, experiment->data.sha256);
    }
    if (status == FPX_OK)
        status = divide(corpus, experiment, err);
    if (status != FPX_OK) {
        fpx_corpus_free(corpus);
        return status;
    }
    *ret_corpus = corpus;
    return FPX_OK;
}

void fpx_corpus_free(fpx_corpus *corpus)
{
    if (corpus == NULL)
        return;
    free(corpus->bytes);
    free(corpus->order);
    free(corpus);
}

size_t fpx_corpus_bytes(const fpx_corpus *corpus)
{
    return corpus->count;
}

size_t fpx_corpus_train_steps(const fpx_corpus *corpus)
{
    return corpus->train / corpus->batch;
}

size_t fpx_corpus_valid_batches(const fpx_corpus *corpus)
{
    return corpus->valid;
}

static void window(const fpx_corpus *corpus, size_t from, int32_t *tokens, int32_t *targets)
{
    for (size_t i = 0; i < corpus->sequence; i++) {
        tokens[i] = (unsigned char)corpus->bytes[from + i];
        targets[i] = (unsigned char)corpus->bytes[from + i + 1];
    }
}

void fpx_corpus_train(const fpx_corpus *corpus, size_t index, int32_t *tokens, int32_t *targets)
{
    const size_t t = corpus->sequence;

    for (size_t s = 0; s < corpus->batch; s++)
        window(corpus, corpus->order[index * corpus->batch + s] * t, tokens + s * t,
               targets + s * t);
}

void fpx_corpus_valid(const fpx_corpus *corpus, size_t index, int32_t *tokens, int32_t *targets)
{
    const size_t t = corpus->sequence;

    for (size_t s = 0; s < corpus->batch; s++)
        window(corpus, corpus->valid_from + (index * corpus->batch + s) * t, tokens + s * t,
               targets + s * t);
}
