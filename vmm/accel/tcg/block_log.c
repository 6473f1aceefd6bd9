/* What -d in_asm and -d op print of a block when it is made. */
#include <inttypes.h>

#include "tcg_block.h"

#include "disas.h"
#include "vm_log.h"

static int code_bits(uint32_t mode)
{
    return mode & CPU_MODE_CS64 ? 64 : mode & CPU_MODE_CS32 ? 32 : 16;
}

static void log_code(const Block *block, const uint8_t *bytes, uint64_t address)
{
    unsigned at = 0;

    log_write(LOG_IN_ASM, "----------------\nIN: \n");
    while (at < block->bytes) {
        char text[128];
        size_t len = x86_disassemble(code_bits(block->mode), address + at, bytes + at,
                                     block->bytes - at, text, sizeof(text));

        if (len == 0) {
            break;
        }
        log_write(LOG_IN_ASM, "0x%08" PRIx64 ":  %s\n", address + at, text);
        at += (unsigned)len;
    }
    log_write(LOG_IN_ASM, "\n");
}

static void log_ops(const Block *block, uint64_t address)
{
    log_write(LOG_OP, "OP: %u micro-ops of %u instructions at 0x%08" PRIx64 "\n", block->n_uops,
              block->n_insns, address);
    for (unsigned i = 0; i < block->n_uops; i++) {
        const UOp *u = &block->uops[i];

        log_write(LOG_OP, " +%02x %p r1 %u r2 %u base %u index %u<<%u disp %" PRId32
                  " seg %d imm %" PRIx64 " aux %u\n", u->insn_off, (void *)(uintptr_t)u->fn,
                  u->r1, u->r2, u->base, u->index, u->scale, u->disp, u->seg == UOP_SEG_NONE ? -1 : u->seg, u->imm, u->aux);
    }
    log_write(LOG_OP, "\n");
}

void block_log(const Block *block, const uint8_t *bytes, uint64_t address)
{
    if (bytes != NULL && log_on(LOG_IN_ASM)) {
        log_code(block, bytes, address);
    }
    if (log_on(LOG_OP)) {
        log_ops(block, address);
    }
}
