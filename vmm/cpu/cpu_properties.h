/*
 * CPUs and their models as tools ask about them: what a CPU object has, what models there are and
 * what this machine's engine cannot give of them.
 *
 * Main thread, machine lock.
 */
#pragma once

#include "cpuid.h"
#include "property.h"

#define CPU_TYPE_SUFFIX "-x86_64-cpu"           /* a model's name and this are its CPUs' type */

/*
 * What every CPU object has: its features by name, what else -cpu sets, and what it is in the
 * machine.  Two tables and a NULL; all read-only.  Features alone are first.
 */
extern const Property *const *x86_cpu_properties(void);
/* The value of one of them, as the property's own type prints it; NULL: no fact of a model. */
char *x86_cpu_model_get(const X86CpuModel *model, const Property *prop);
/* Whether -cpu base can be told of it: together these are the model. */
bool x86_cpu_property_is_static(const Property *prop);

/* Names of the features in `words`; owned by nobody.  Free the array. */
GPtrArray *x86_feature_names(const uint32_t words[FEATURE_WORDS]);

typedef struct X86CpuDefinition {
    const char *name;
    const char *alias_of;               /* the versioned name that means the same; NULL: none */
    bool is_static, migration_safe;
    GPtrArray *unavailable;             /* const char *: what keeps it from running here; owned */
} X86CpuDefinition;

/* `name` is one of x86_cpu_model_names(). */
void x86_cpu_definition(Vm *vm, const char *name, X86CpuDefinition *definition);
