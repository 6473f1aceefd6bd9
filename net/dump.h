/* The object type filter-dump. */
#pragma once

#include "user_object.h"

extern const ObjectType filter_dump_type;
