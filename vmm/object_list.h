#pragma once

#include "user_object.h"

extern const ObjectType *const object_types[];      /* NULL-terminated */
