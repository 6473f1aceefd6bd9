/* Feature words and model rows: private to this folder. */
#pragma once

#include "cpuid.h"

typedef enum CpuidRegister { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX, CPUID_NONE } CpuidRegister;

typedef struct FeatureWordInfo {
    uint32_t leaf, subleaf;
    CpuidRegister reg;                  /* CPUID_NONE: not from CPUID */
    const char *names[32];              /* NULL: no name */
} FeatureWordInfo;

extern const FeatureWordInfo feature_words[FEATURE_WORDS];

/* All bits of that name; false: unknown. */
bool x86_features_set(uint32_t features[FEATURE_WORDS], const char *name, bool on);

/* A named model. Its features are its base's, edited by `features` ("avx -svm"). */
typedef struct CpuModelRow {
    const char *name;
    const char *base;                   /* an earlier row, or NULL: no features */
    const char *vendor;
    uint16_t family, model, stepping;
    uint32_t level, xlevel;
    const char *model_id;
    const char *features;               /* NULL: the base's */
} CpuModelRow;

typedef struct CpuModelAlias { const char *name, *target; } CpuModelAlias;

/* What -cpu can set of a model beside its features. */
typedef struct ModelProperty {
    const char *name;
    enum { MODEL_BOOL, MODEL_NUMBER, MODEL_TEXT } kind;
    size_t offset, size;                /* in X86CpuModel */
    uint32_t max;                       /* of a number */
} ModelProperty;

extern const ModelProperty cpu_model_properties[];  /* ends with a NULL name */
extern const CpuModelRow cpu_model_rows[];          /* ends with a NULL name */
extern const CpuModelAlias cpu_model_aliases[];     /* likewise */
