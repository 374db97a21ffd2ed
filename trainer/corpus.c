/* corpus.c - tokens as batches of windows, in an order drawn from the seed; no token is an input twice. */
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/file.h>
#include <fpx/stream.h>
#include <fpx/train.h>

#include "instruct.h"
#include "sites.h"
#include "token_source.h"

struct fpx_corpus {
    token_source source;
    instruct records; /* none: windows of the source */
    size_t sequence, batch;
    size_t group;  /* sequences that stay together: of a record; 1: a window */
    size_t *order; /* window, or record, of each place in training */
    size_t train;  /* windows for training: [0, train) of the tokens */
    size_t valid;  /* batches of validation, from `valid_from` on */
    size_t valid_from;
    char digest[65];
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
    const size_t group = corpus->group, records = corpus->records.n / group;
    const size_t count = records ? records : corpus->source.count;
    const size_t valid_count = (size_t)(e->data.validation * (double)count);
    const size_t train_count = count - valid_count, t = corpus->sequence;
    const char *const unit = corpus->source.size == 1 ? "bytes" : "tokens";

    fpx_fpenv_leave(env);
    if (t == 0 || corpus->batch == 0)
        return fpx_error_set(err, FPX_EINVAL, "data: sequence and batch must be at least 1");
    corpus->train = records ? train_count : train_count > t ? (train_count - 1) / t : 0;
    corpus->valid_from = train_count;
    corpus->valid = (records           ? valid_count
                     : valid_count > t ? (valid_count - 1) / t
                                       : 0) *
                    group / corpus->batch;
    if (corpus->train * group < corpus->batch || (e->data.validation > 0.0 && corpus->valid == 0))
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: %zu %s are too short for one batch of %zu sequences of %zu %s in "
                             "training and one in validation",
                             corpus->source.path, count, records ? "records" : unit, corpus->batch,
                             t, unit);
    corpus->order = calloc(corpus->train, sizeof *corpus->order);
    if (corpus->order == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", corpus->source.path);
    shuffle(corpus, e->seed);
    return FPX_OK;
}

/* SHA-256 of the tokens; of records, of this, where each begins and how many of its tokens are the prompt's. */
static void take_digest(fpx_corpus *corpus)
{
    const instruct *records = &corpus->records;
    char parts[3][65];

    fpx_sha256_text(corpus->source.data, fpx_corpus_bytes(corpus), corpus->digest);
    if (records->n == 0)
        return;
    memcpy(parts[0], corpus->digest, sizeof parts[0]);
    fpx_sha256_text(records->start, (records->n + 1) * sizeof *records->start, parts[1]);
    fpx_sha256_text(records->prompts, records->n * sizeof *records->prompts, parts[2]);
    fpx_sha256_text(parts, sizeof parts, corpus->digest);
}

fpx_status fpx_corpus_new(const fpx_experiment *experiment, fpx_corpus **ret_corpus, fpx_error *err)
{
    fpx_corpus *corpus = calloc(1, sizeof *corpus);
    fpx_status status;

    if (corpus == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "corpus: out of memory");
    corpus->sequence = experiment->data.sequence;
    corpus->batch = experiment->data.batch;
    status = experiment->data.kind != FPX_DATA_TEXT
                 ? instruct_open(experiment, &corpus->source, &corpus->records, err)
                 : token_source_open(experiment, &corpus->source, err);
    corpus->group = corpus->records.n > 0 ? corpus->records.group : 1;
    if (status == FPX_OK)
        status = divide(corpus, experiment, err);
    if (status != FPX_OK) {
        fpx_corpus_free(corpus);
        return status;
    }
    take_digest(corpus);
    *ret_corpus = corpus;
    return FPX_OK;
}

void fpx_corpus_free(fpx_corpus *corpus)
{
    if (corpus == NULL)
        return;
    token_source_close(&corpus->source);
    instruct_close(&corpus->records);
    free(corpus->order);
    free(corpus);
}

size_t fpx_corpus_tokens(const fpx_corpus *corpus)
{
    return corpus->source.count;
}

size_t fpx_corpus_bytes(const fpx_corpus *corpus)
{
    return corpus->source.count * corpus->source.size;
}

const char *fpx_corpus_digest(const fpx_corpus *corpus)
{
    return corpus->digest;
}

const fpx_tokenizer *fpx_corpus_tokenizer(const fpx_corpus *corpus)
{
    return corpus->source.tokenizer;
}

size_t fpx_corpus_train_steps(const fpx_corpus *corpus)
{
    return corpus->train * corpus->group / corpus->batch;
}

size_t fpx_corpus_valid_batches(const fpx_corpus *corpus)
{
    return corpus->valid;
}

static void window(const fpx_corpus *corpus, size_t from, int32_t *tokens, int32_t *targets)
{
    for (size_t i = 0; i < corpus->sequence; i++) {
        tokens[i] = token_source_at(&corpus->source, from + i);
        targets[i] = token_source_at(&corpus->source, from + i + 1);
    }
}

/* A record's sequence of n tokens is n - 1 inputs with a next token each, of which those after the prompt are targets. */
static void record(const fpx_corpus *corpus, size_t r, int32_t *tokens, int32_t *targets)
{
    const size_t from = corpus->records.start[r], n = corpus->records.start[r + 1] - from;

    for (size_t i = 0; i < corpus->sequence; i++) {
        const int input = i + 1 < n, asked = input && i + 1 >= corpus->records.prompts[r];

        tokens[i] = input ? token_source_at(&corpus->source, from + i) : 0;
        targets[i] = asked ? token_source_at(&corpus->source, from + i + 1) : -1;
    }
}

void fpx_corpus_train(const fpx_corpus *corpus, size_t index, int32_t *tokens, int32_t *targets)
{
    const size_t t = corpus->sequence;

    for (size_t s = 0; s < corpus->batch; s++) {
        const size_t n = index * corpus->batch + s, g = corpus->group;
        const size_t place = corpus->order[n / g];

        if (corpus->records.n > 0)
            record(corpus, place * g + n % g, tokens + s * t, targets + s * t);
        else
            window(corpus, place * t, tokens + s * t, targets + s * t);
    }
}

void fpx_corpus_valid(const fpx_corpus *corpus, size_t index, int32_t *tokens, int32_t *targets)
{
    const size_t t = corpus->sequence;

    for (size_t s = 0; s < corpus->batch; s++) {
        const size_t place = index * corpus->batch + s;

        if (corpus->records.n > 0)
            record(corpus, corpus->valid_from * corpus->group + place, tokens + s * t,
                   targets + s * t);
        else
            window(corpus, corpus->valid_from + place * t, tokens + s * t, targets + s * t);
    }
}
