/*
 * The arguments of object-add as introspection shows them: a variant for each type there is, with
 * its properties, out of the types' own tables.
 */
#pragma once

#include "qmp_type.h"

const QmpType *object_add_schema(void);
