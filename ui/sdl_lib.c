#include "sdl_lib.h"

#include <dlfcn.h>

#include "rhea_error.h"

SdlLib sdl;

static const struct { const char *name; size_t offset; } functions[] = {
#define SDL_LIB_ROW(name_) { "SDL_" #name_, offsetof(SdlLib, name_) },
    SDL_LIB_FUNCTIONS(SDL_LIB_ROW)
#undef SDL_LIB_ROW
};

bool sdl_lib_load(GError **error)
{
    void *library = dlopen(SDL_LIB, RTLD_NOW);

    if (library == NULL) {
        set_error(error, "the library for windows cannot be loaded: %s", dlerror());
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(functions); i++) {
        void *function = dlsym(library, functions[i].name);

        if (function == NULL) {
            set_error(error, SDL_LIB " has no %s: it is older than " G_STRINGIFY(SDL_MAJOR_VERSION)
                      "." G_STRINGIFY(SDL_MINOR_VERSION), functions[i].name);
            dlclose(library);
            return false;
        }
        *(void **)((char *)&sdl + functions[i].offset) = function;
    }
    return true;
}

void *sdl_lib_function(const char *library, const char *function)
{
    void *loaded = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);

    return loaded != NULL ? dlsym(loaded, function) : NULL;
}
