/* mma_presets.c - the known matrix units: a family of models and a few numbers for each row. What was seen of the
 * hardware itself, and what only its source says, is told apart in `provenance` and `source`. */
#include <string.h>

#include <fpx/mma.h>

#include "mma_number.h"

#define F8F6F4 "e4m3 e5m2 e3m2 e2m3 e2m1"
#define MMASIM "MMA-Sim (arXiv 2511.10909; mmasim 2.1.1), no stored outputs of this instruction"
#define SEEN(device)                                                                               \
    "outputs of " device " (arXiv 2512.07004, 5000 a set); zeros' exponent and specials: MMA-Sim"
#define SEEN_V100 SEEN("V100")
#define SEEN_A100 SEEN("A100 and A2")
#define SEEN_ADA SEEN("RTX 1000 Ada and L40S")
#define SEEN_ADA8 SEEN("RTX 1000 Ada and L40S, and mmaemu's of RTX 4060")
#define SEEN_H100 SEEN("H100 and H200")
#define SEEN_B200 SEEN("B200")
#define SEEN_QGMMA SEEN("H100 and H200, c = 0")
#define SEEN_FP8_FP16 SEEN("H100, H200 and B200") "; SASS of ptxas 13.0 says the same"
#define SASS_H100 "SASS of ptxas 13.0 for sm_90a; the stored float32 outputs of H100 are wgmma's"
#define SASS_B200                                                                                  \
    SEEN("B200") ", which do not tell the two halves; these: SASS of ptxas 13.0 for sm_100a"
#define TF32_K8 "MMA-Sim; F as in the outputs of the k4 shape (arXiv 2512.07004)"
#define MMAEMU "mmaemu 0.1.0, validated by its authors on RTX 4060 and H100 PCIe, cuBLASLt 12.8.3"
#define PAPER_AMD "MMA-Sim's paper (arXiv 2511.10909): F2 = 31, which its program refines"
#define DEFINED "what the name says"

enum { ABSENT = FPX_MMA_ZERO_ABSENT };
enum { HARDWARE = FPX_MMA_HARDWARE, SOURCE = FPX_MMA_SOURCE, DEFINITION = FPX_MMA_DEFINITION };

/* What rows of one kind share. fraction_out 0: all of the output's. */
enum family {
    T,            /* T-FDPA: RZ to fp32, RNE to fp16 */
    TF32,         /* the same, 13 low bits of a float32 not read */
    T_E8M13,      /* RZ to 13 fraction bits in fp32 */
    T_PROMOTED,   /* with a restart every 128 */
    TWO_HMMA,     /* FP8 as fp16, 32 k as two vectors of alternating pairs, c at the end */
    GST,          /* groups of 16 */
    FMA,          /* chain of IEEE 754's */
    EXACT,        /* ideal */
    EXACT_SIGNED, /* E-FDPA */
    TREE,         /* ideal */
    TREE_FLUSHED, /* CDNA2 */
    TR,           /* TR-FDPA as mmasim has it */
    TR_XF32,
    TR_PAPER,
    TR_XF32_PAPER,
    GTR
};

#define ALIGNED .sum = FPX_MMA_ALIGNED, .vectors = 1, .parities = 1
#define JOINED                                                                                     \
    ALIGNED, .c = FPX_MMA_C_JOINED, .zero = FPX_MMA_ZERO_UNDERFLOW, .fraction_c = 24,              \
             .e_infinite = 128
static const fpx_mma_model families[] = {
    [T] = { ALIGNED },
    [TF32] = { ALIGNED, .drop = 13 },
    [T_E8M13] = { ALIGNED, .fraction_out = 13 },
    [T_PROMOTED] = { ALIGNED, .fraction_out = 13, .step = 32, .promote = 128 },
    [TWO_HMMA] = { .sum = FPX_MMA_ALIGNED,
                   .parities = 1,
                   .c = FPX_MMA_C_LATE,
                   .e_least = -14,
                   .step = 32,
                   .vectors = 2,
                   .width = 2 },
    [GST] = { ALIGNED, .group = 16 },
    [FMA] = { .sum = FPX_MMA_FMA, .vectors = 1 },
    [EXACT] = { .sum = FPX_MMA_EXACT, .vectors = 1 },
    [EXACT_SIGNED] = { .sum = FPX_MMA_EXACT, .vectors = 1, .zero = FPX_MMA_ZERO_UNDERFLOW },
    [TREE] = { .sum = FPX_MMA_TREE, .vectors = 1 },
    [TREE_FLUSHED] = { .sum = FPX_MMA_TREE, .vectors = 1, .flush_inputs = 1, .flush_results = 1 },
    [TR] = { JOINED, .fraction_sum = 32, .fraction_all = 31 },
    [TR_XF32] = { JOINED, .fraction_sum = 32, .fraction_all = 31, .drop = 13 },
    [TR_PAPER] = { JOINED, .fraction_sum = 31 },
    [TR_XF32_PAPER] = { JOINED, .fraction_sum = 31, .drop = 13 },
    [GTR] = { .sum = FPX_MMA_ALIGNED,
              .vectors = 1,
              .parities = 2,
              .c = FPX_MMA_C_JOINED,
              .zero = FPX_MMA_ZERO_UNDERFLOW,
              .fraction_c = 24,
              .fraction_sum = 32,
              .fraction_all = 31,
              .gap_c = 25 },
};

/* block: L; fraction: F. */
static const struct row {
    const char *name, *instruction, *inputs, *scales;
    enum family family;
    const fpx_format *format;
    uint16_t block;
    uint8_t fraction;
    int16_t e_zero;
    uint8_t provenance;
    const char *source;
} rows[] = {
    { "volta/mma.sync/fp16-fp32", "HMMA m8n8k4", "fp16", NULL, T, &fpx_fp32, 4, 23, -131, HARDWARE,
      SEEN_V100 },
    { "volta/mma.sync/fp16-fp16", "HMMA m8n8k4", "fp16", NULL, T, &fpx_fp16, 4, 23, -19, HARDWARE,
      SEEN_V100 },
    { "turing/mma.sync/fp16-fp32", "HMMA m16n8k8", "fp16", NULL, T, &fpx_fp32, 8, 24, -132, SOURCE,
      MMASIM },
    { "turing/mma.sync/fp16-fp16", "HMMA m16n8k8", "fp16", NULL, T, &fpx_fp16, 8, 24, -20, SOURCE,
      MMASIM },
    { "turing/mma.sync.m8n8k4/fp16-fp32", "HMMA m8n8k4", "fp16", NULL, T, &fpx_fp32, 4, 23, -131,
      SOURCE, MMASIM },
    { "turing/mma.sync.m8n8k4/fp16-fp16", "HMMA m8n8k4", "fp16", NULL, T, &fpx_fp16, 4, 23, -19,
      SOURCE, MMASIM },
    { "ampere/mma.sync/fp16-fp32", "HMMA m16n8k16, k8", "fp16", NULL, T, &fpx_fp32, 8, 24, -132,
      HARDWARE, SEEN_A100 },
    { "ampere/mma.sync/bf16-fp32", "HMMA m16n8k16, k8", "bf16", NULL, T, &fpx_fp32, 8, 24, -132,
      HARDWARE, SEEN_A100 },
    { "ampere/mma.sync/fp16-fp16", "HMMA m16n8k16, k8", "fp16", NULL, T, &fpx_fp16, 8, 24, -20,
      HARDWARE, SEEN_A100 },
    { "ampere/mma.sync/tf32-fp32", "HMMA m16n8k8, k4", "tf32 fp32", NULL, TF32, &fpx_fp32, 4, 24,
      -132, HARDWARE, SEEN_A100 },
    { "ampere/mma.sync/fp64-fp64", "DMMA m8n8k4", "fp64", NULL, FMA, &fpx_fp64, 0, 0, 0, SOURCE,
      MMASIM },
    { "ada/mma.sync/fp16-fp32", "HMMA m16n8k16, k8", "fp16", NULL, T, &fpx_fp32, 8, 24, -132,
      HARDWARE, SEEN_ADA },
    { "ada/mma.sync/bf16-fp32", "HMMA m16n8k16, k8", "bf16", NULL, T, &fpx_fp32, 8, 24, -132,
      HARDWARE, SEEN_ADA },
    { "ada/mma.sync/fp16-fp16", "HMMA m16n8k16, k8", "fp16", NULL, T, &fpx_fp16, 8, 24, -20,
      HARDWARE, SEEN_ADA },
    { "ada/mma.sync/tf32-fp32", "HMMA m16n8k8, k4", "tf32 fp32", NULL, TF32, &fpx_fp32, 4, 24, -132,
      HARDWARE, SEEN_ADA },
    { "ada/mma.sync/fp64-fp64", "DMMA m8n8k4", "fp64", NULL, FMA, &fpx_fp64, 0, 0, 0, SOURCE,
      MMASIM },
    { "ada/mma.sync/fp8-fp32", "QMMA m16n8k32, k16", "e4m3 e5m2", NULL, T_E8M13, &fpx_fp32, 16, 13,
      -132, HARDWARE, SEEN_ADA8 },
    { "ada/mma.sync/fp8-fp16", "QMMA m16n8k32, k16", "e4m3 e5m2", NULL, T, &fpx_fp16, 16, 13, -20,
      HARDWARE, SEEN_ADA8 },
    { "ada/cublaslt-fast/fp8-fp32", "cuBLASLt 12.8, fast accumulation", "e4m3 e5m2", NULL, T_E8M13,
      &fpx_fp32, 16, 13, -132, SOURCE, MMAEMU },
    { "ada/cublaslt-slow/fp8-fp32", "cuBLASLt 12.8", "e4m3 e5m2", NULL, T_PROMOTED, &fpx_fp32, 16,
      13, -132, SOURCE, MMAEMU },
    { "hopper/mma.sync/fp16-fp32", "HMMA m16n8k16", "fp16", NULL, T, &fpx_fp32, 16, 25, -133,
      HARDWARE, SEEN_H100 },
    { "hopper/mma.sync/bf16-fp32", "HMMA m16n8k16", "bf16", NULL, T, &fpx_fp32, 16, 25, -133,
      HARDWARE, SEEN_H100 },
    { "hopper/mma.sync/fp16-fp16", "HMMA m16n8k16", "fp16", NULL, T, &fpx_fp16, 16, 25, -21,
      HARDWARE, SEEN_H100 },
    { "hopper/mma.sync.k8/fp16-fp32", "HMMA m16n8k8", "fp16", NULL, T, &fpx_fp32, 8, 25, -133,
      SOURCE, MMASIM },
    { "hopper/mma.sync.k8/bf16-fp32", "HMMA m16n8k8", "bf16", NULL, T, &fpx_fp32, 8, 25, -133,
      SOURCE, MMASIM },
    { "hopper/mma.sync.k8/fp16-fp16", "HMMA m16n8k8", "fp16", NULL, T, &fpx_fp16, 8, 25, -21,
      SOURCE, MMASIM },
    { "hopper/mma.sync/tf32-fp32", "HMMA m16n8k8", "tf32 fp32", NULL, TF32, &fpx_fp32, 8, 25, -133,
      SOURCE, TF32_K8 },
    { "hopper/mma.sync.k4/tf32-fp32", "HMMA m16n8k4", "tf32 fp32", NULL, TF32, &fpx_fp32, 4, 25,
      -133, HARDWARE, SEEN_H100 },
    { "hopper/mma.sync/fp64-fp64", "DMMA m8n8k4", "fp64", NULL, FMA, &fpx_fp64, 0, 0, 0, SOURCE,
      MMASIM },
    { "hopper/mma.sync/fp8-fp32", "HMMA m16n8k16, twice", "e4m3 e5m2", NULL, TWO_HMMA, &fpx_fp32,
      16, 25, -133, SOURCE, SASS_H100 },
    { "hopper/mma.sync/fp8-fp16", "HMMA m16n8k16, twice", "e4m3 e5m2", NULL, TWO_HMMA, &fpx_fp16,
      16, 25, -21, HARDWARE, SEEN_FP8_FP16 },
    { "hopper/wgmma/fp16-fp32", "HGMMA m64nNk16", "fp16", NULL, T, &fpx_fp32, 16, 25, -133, SOURCE,
      MMASIM },
    { "hopper/wgmma/bf16-fp32", "HGMMA m64nNk16", "bf16", NULL, T, &fpx_fp32, 16, 25, -133, SOURCE,
      MMASIM },
    { "hopper/wgmma/fp16-fp16", "HGMMA m64nNk16", "fp16", NULL, T, &fpx_fp16, 16, 25, -21, SOURCE,
      MMASIM },
    { "hopper/wgmma/tf32-fp32", "HGMMA m64nNk8", "tf32 fp32", NULL, TF32, &fpx_fp32, 8, 25, -133,
      SOURCE, MMASIM },
    { "hopper/wgmma/fp8-fp32", "QGMMA m64nNk32", "e4m3 e5m2", NULL, T_E8M13, &fpx_fp32, 32, 13,
      -133, HARDWARE, SEEN_QGMMA },
    { "hopper/wgmma/fp8-fp16", "QGMMA m64nNk32", "e4m3 e5m2", NULL, T, &fpx_fp16, 32, 13, -21,
      SOURCE, MMASIM },
    { "hopper/cublaslt-fast/fp8-fp32", "cuBLASLt 12.8, fast accumulation", "e4m3 e5m2", NULL,
      T_E8M13, &fpx_fp32, 32, 13, -133, SOURCE, MMAEMU },
    { "hopper/cublaslt-slow/fp8-fp32", "cuBLASLt 12.8", "e4m3 e5m2", NULL, T_PROMOTED, &fpx_fp32,
      32, 13, -133, SOURCE, MMAEMU },
    { "blackwell/mma.sync/fp16-fp32", "HMMA m16n8k16", "fp16", NULL, T, &fpx_fp32, 16, 25, -133,
      HARDWARE, SEEN_B200 },
    { "blackwell/mma.sync/bf16-fp32", "HMMA m16n8k16", "bf16", NULL, T, &fpx_fp32, 16, 25, -133,
      HARDWARE, SEEN_B200 },
    { "blackwell/mma.sync/fp16-fp16", "HMMA m16n8k16", "fp16", NULL, T, &fpx_fp16, 16, 25, -21,
      HARDWARE, SEEN_B200 },
    { "blackwell/mma.sync.k8/fp16-fp32", "HMMA m16n8k8", "fp16", NULL, T, &fpx_fp32, 8, 25, -133,
      SOURCE, MMASIM },
    { "blackwell/mma.sync.k8/bf16-fp32", "HMMA m16n8k8", "bf16", NULL, T, &fpx_fp32, 8, 25, -133,
      SOURCE, MMASIM },
    { "blackwell/mma.sync.k8/fp16-fp16", "HMMA m16n8k8", "fp16", NULL, T, &fpx_fp16, 8, 25, -21,
      SOURCE, MMASIM },
    { "blackwell/mma.sync/tf32-fp32", "HMMA m16n8k8", "tf32 fp32", NULL, TF32, &fpx_fp32, 8, 25,
      -133, SOURCE, TF32_K8 },
    { "blackwell/mma.sync.k4/tf32-fp32", "HMMA m16n8k4", "tf32 fp32", NULL, TF32, &fpx_fp32, 4, 25,
      -133, HARDWARE, SEEN_B200 },
    { "blackwell/mma.sync/fp64-fp64", "DMMA m8n8k4", "fp64", NULL, FMA, &fpx_fp64, 0, 0, 0, SOURCE,
      MMASIM },
    { "blackwell/mma.sync/fp8-fp32", "HMMA m16n8k16, twice", "e4m3 e5m2", NULL, TWO_HMMA, &fpx_fp32,
      16, 25, -133, HARDWARE, SASS_B200 },
    { "blackwell/mma.sync/fp8-fp16", "HMMA m16n8k16, twice", "e4m3 e5m2", NULL, TWO_HMMA, &fpx_fp16,
      16, 25, -21, HARDWARE, SEEN_FP8_FP16 },
    { "blackwell/tcgen05/fp16-fp32", "UTCHMMA kind::f16", "fp16", NULL, T, &fpx_fp32, 16, 25, -133,
      SOURCE, MMASIM },
    { "blackwell/tcgen05/bf16-fp32", "UTCHMMA kind::f16", "bf16", NULL, T, &fpx_fp32, 16, 25, -133,
      SOURCE, MMASIM },
    { "blackwell/tcgen05/fp16-fp16", "UTCHMMA kind::f16", "fp16", NULL, T, &fpx_fp16, 16, 25, -21,
      SOURCE, MMASIM },
    { "blackwell/tcgen05/tf32-fp32", "UTCHMMA kind::tf32", "tf32 fp32", NULL, TF32, &fpx_fp32, 8,
      25, -133, SOURCE, MMASIM },
    { "blackwell/tcgen05/f8f6f4-fp32", "UTCQMMA kind::f8f6f4", F8F6F4, NULL, T, &fpx_fp32, 32, 25,
      -133, SOURCE, MMASIM },
    { "blackwell/tcgen05/f8f6f4-fp16", "UTCQMMA kind::f8f6f4", F8F6F4, NULL, T, &fpx_fp16, 32, 25,
      -21, SOURCE, MMASIM },
    { "blackwell/tcgen05/mxf8f6f4-fp32", "UTCQMMA kind::mxf8f6f4", F8F6F4, "e8m0/32", T, &fpx_fp32,
      32, 25, -133, SOURCE, MMASIM },
    { "blackwell/tcgen05/mxf4nvf4-fp32", "UTCOMMA kind::mxf4, mxf4nvf4", "e2m1",
      "e8m0/32 e8m0/16 ue4m3/16", GST, &fpx_fp32, 64, 35, -139, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync/fp16-fp32", "HMMA m16n8k16", "fp16", NULL, T, &fpx_fp32, 16, 25, -133,
      SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync/bf16-fp32", "HMMA m16n8k16", "bf16", NULL, T, &fpx_fp32, 16, 25, -133,
      SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync/fp16-fp16", "HMMA m16n8k16", "fp16", NULL, T, &fpx_fp16, 16, 25, -21,
      SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync.k8/fp16-fp32", "HMMA m16n8k8", "fp16", NULL, T, &fpx_fp32, 8, 25,
      -133, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync.k8/bf16-fp32", "HMMA m16n8k8", "bf16", NULL, T, &fpx_fp32, 8, 25,
      -133, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync.k8/fp16-fp16", "HMMA m16n8k8", "fp16", NULL, T, &fpx_fp16, 8, 25, -21,
      SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync/tf32-fp32", "HMMA m16n8k8", "tf32 fp32", NULL, TF32, &fpx_fp32, 8, 25,
      -133, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync.k4/tf32-fp32", "HMMA m16n8k4", "tf32 fp32", NULL, TF32, &fpx_fp32, 4,
      25, -133, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync/fp64-fp64", "DMMA m8n8k4", "fp64", NULL, FMA, &fpx_fp64, 0, 0, 0,
      SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync/f8f6f4-fp32", "QMMA m16n8k32", F8F6F4, NULL, T, &fpx_fp32, 32, 25,
      -133, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync.k16/fp8-fp32", "QMMA m16n8k16", "e4m3 e5m2", NULL, T, &fpx_fp32, 16,
      25, -133, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync/f8f6f4-fp16", "QMMA m16n8k32", F8F6F4, NULL, T, &fpx_fp16, 32, 25,
      -21, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync.k16/fp8-fp16", "QMMA m16n8k16", "e4m3 e5m2", NULL, T, &fpx_fp16, 16,
      25, -21, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync/mxf8f6f4-fp32", "QMMA.SF m16n8k32", F8F6F4, "e8m0/32", T, &fpx_fp32,
      32, 25, -133, SOURCE, MMASIM },
    { "rtx-blackwell/mma.sync/mxf4nvf4-fp32", "OMMA.SF m16n8k64", "e2m1",
      "e8m0/32 e8m0/16 ue4m3/16", GST, &fpx_fp32, 64, 35, -139, SOURCE, MMASIM },
    { "cdna1/mfma/fp32-fp32", "V_MFMA_F32_*F32", "fp32", NULL, FMA, &fpx_fp32, 0, 0, 0, SOURCE,
      MMASIM },
    { "cdna1/mfma/fp16-fp32", "V_MFMA_F32_*F16", "fp16", NULL, EXACT_SIGNED, &fpx_fp32, 4, 0, 0,
      SOURCE, MMASIM },
    { "cdna1/mfma/bf16-fp32", "V_MFMA_F32_*BF16", "bf16", NULL, EXACT_SIGNED, &fpx_fp32, 2, 0, 0,
      SOURCE, MMASIM },
    { "cdna2/mfma/fp64-fp64", "V_MFMA_F64_*F64", "fp64", NULL, FMA, &fpx_fp64, 0, 0, 0, SOURCE,
      MMASIM },
    { "cdna2/mfma/fp32-fp32", "V_MFMA_F32_*F32", "fp32", NULL, FMA, &fpx_fp32, 0, 0, 0, SOURCE,
      MMASIM },
    { "cdna2/mfma/fp16-fp32", "V_MFMA_F32_*F16", "fp16", NULL, TREE_FLUSHED, &fpx_fp32, 4, 0, 0,
      SOURCE, MMASIM },
    { "cdna2/mfma/bf16-fp32", "V_MFMA_F32_*BF16", "bf16", NULL, TREE_FLUSHED, &fpx_fp32, 2, 0, 0,
      SOURCE, MMASIM },
    { "cdna2/mfma.1k/bf16-fp32", "V_MFMA_F32_*BF16_1K", "bf16", NULL, TREE_FLUSHED, &fpx_fp32, 4, 0,
      0, SOURCE, MMASIM },
    { "cdna3/mfma/fp64-fp64", "V_MFMA_F64_*F64", "fp64", NULL, FMA, &fpx_fp64, 0, 0, 0, SOURCE,
      MMASIM },
    { "cdna3/mfma/fp32-fp32", "V_MFMA_F32_*F32", "fp32", NULL, FMA, &fpx_fp32, 0, 0, 0, SOURCE,
      MMASIM },
    { "cdna3/mfma/xf32-fp32", "V_MFMA_F32_*XF32", "tf32 fp32", NULL, TR_XF32, &fpx_fp32, 4, 24,
      ABSENT, SOURCE, MMASIM },
    { "cdna3/mfma/fp16-fp32", "V_MFMA_F32_*F16", "fp16", NULL, TR, &fpx_fp32, 8, 24, ABSENT, SOURCE,
      MMASIM },
    { "cdna3/mfma/bf16-fp32", "V_MFMA_F32_*BF16", "bf16", NULL, TR, &fpx_fp32, 8, 24, ABSENT,
      SOURCE, MMASIM },
    { "cdna3/mfma.f2-31/xf32-fp32", "V_MFMA_F32_*XF32", "tf32 fp32", NULL, TR_XF32_PAPER, &fpx_fp32,
      4, 24, ABSENT, SOURCE, PAPER_AMD },
    { "cdna3/mfma.f2-31/fp16-fp32", "V_MFMA_F32_*F16", "fp16", NULL, TR_PAPER, &fpx_fp32, 8, 24,
      ABSENT, SOURCE, PAPER_AMD },
    { "cdna3/mfma.f2-31/bf16-fp32", "V_MFMA_F32_*BF16", "bf16", NULL, TR_PAPER, &fpx_fp32, 8, 24,
      ABSENT, SOURCE, PAPER_AMD },
    { "cdna3/mfma/fp8-fp32", "V_MFMA_F32_*FP8, BF8", "e4m3fnuz e5m2fnuz", NULL, GTR, &fpx_fp32, 16,
      24, ABSENT, SOURCE, MMASIM },
    { "ideal/exact/any-fp32", "none", NULL, NULL, EXACT, &fpx_fp32, 0, 0, 0, DEFINITION, DEFINED },
    { "ideal/exact/any-bf16", "none", NULL, NULL, EXACT, &fpx_bf16, 0, 0, 0, DEFINITION, DEFINED },
    { "ideal/exact/any-fp16", "none", NULL, NULL, EXACT, &fpx_fp16, 0, 0, 0, DEFINITION, DEFINED },
    { "ideal/exact/any-fp64", "none", NULL, NULL, EXACT, &fpx_fp64, 0, 0, 0, DEFINITION, DEFINED },
    { "ideal/fma/any-fp32", "none", NULL, NULL, FMA, &fpx_fp32, 0, 0, 0, DEFINITION, DEFINED },
    { "ideal/fma/any-bf16", "none", NULL, NULL, FMA, &fpx_bf16, 0, 0, 0, DEFINITION, DEFINED },
    { "ideal/fma/any-fp16", "none", NULL, NULL, FMA, &fpx_fp16, 0, 0, 0, DEFINITION, DEFINED },
    { "ideal/fma/any-fp64", "none", NULL, NULL, FMA, &fpx_fp64, 0, 0, 0, DEFINITION, DEFINED },
    { "ideal/pairwise/any-fp32", "none", NULL, NULL, TREE, &fpx_fp32, 0, 0, 0, DEFINITION,
      DEFINED },
    { "ideal/pairwise/any-bf16", "none", NULL, NULL, TREE, &fpx_bf16, 0, 0, 0, DEFINITION,
      DEFINED },
    { "ideal/pairwise/any-fp16", "none", NULL, NULL, TREE, &fpx_fp16, 0, 0, 0, DEFINITION,
      DEFINED },
    { "ideal/pairwise/any-fp64", "none", NULL, NULL, TREE, &fpx_fp64, 0, 0, 0, DEFINITION,
      DEFINED },
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* NaN: NVIDIA's, and CDNA3's below its FMA chains, have all bits set but the sign; where the source leaves it open, and
 * for the ideal ones, it is IEEE 754's quiet NaN. */
static uint64_t nan_of(const struct row *row)
{
    const int all_set = families[row->family].sum == FPX_MMA_ALIGNED;

    return all_set ? (UINT64_C(1) << (row->format->bits - 1)) - 1 : row->format->nan_code;
}

fpx_status fpx_mma_preset_at(size_t index, fpx_mma_preset *ret_preset)
{
    if (index >= ROWS)
        return FPX_EINVAL;

    const struct row *const row = &rows[index];
    fpx_mma_preset p = { .model = families[row->family],
                         .instruction = row->instruction,
                         .inputs = row->inputs,
                         .scales = row->scales,
                         .provenance = (fpx_mma_provenance)row->provenance,
                         .source = row->source };
    fpx_mma_model *const m = &p.model;
    const int truncates =
        m->sum == FPX_MMA_ALIGNED && m->c != FPX_MMA_C_JOINED && row->format->mbits > 10;

    memcpy(m->name, row->name, strlen(row->name));
    m->format = *row->format;
    m->nan_code = nan_of(row);
    m->round = truncates ? FPX_RZ : FPX_RNE;
    if (m->fraction_out == 0)
        m->fraction_out = row->format->mbits;
    m->block = row->block;
    m->fraction = row->fraction;
    m->e_zero = row->e_zero;
    *ret_preset = p;
    return FPX_OK;
}
