#include "tty_owner.h"

#include "rhea_error.h"

static const char *tty_owner;

bool tty_claim(const char *owner, GError **error)
{
    if (tty_owner != NULL) {
        set_error(error, "%s cannot have the terminal: %s has it", owner, tty_owner);
        return false;
    }
    tty_owner = owner;
    return true;
}

void tty_release(void)
{
    tty_owner = NULL;
}
