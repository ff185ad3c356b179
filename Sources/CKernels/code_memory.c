// Memory for machine code: a file without a name, written through its descriptor and mapped for execution only. So it is allowed
// where memory that is written may not be executed (systemd's MemoryDenyWriteExecute).
#define _GNU_SOURCE
#include "CKernels.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REGION_BYTES = 1 << 20 };

typedef struct {
    char *base;
    int64_t used;
} code_region;

struct spk_code_memory {
    code_region *regions;
    int32_t count;
    int descriptor; // of the last region, -1 for none
};

spk_code_memory *spk_code_memory_create(void) {
    spk_code_memory *memory = calloc(1, sizeof(spk_code_memory));
    if (memory != NULL) { memory->descriptor = -1; }
    return memory;
}

static int open_region(void) {
    // Since Linux 6.3 files that shall be executable may have to say so; before, the flag is unknown.
    const unsigned executable = 0x10;
    int descriptor = memfd_create("spindle-code", MFD_CLOEXEC | executable);
    return descriptor >= 0 ? descriptor : memfd_create("spindle-code", MFD_CLOEXEC);
}

static int add_region(spk_code_memory *memory) {
    spk_code_memory_seal(memory);
    code_region *regions = realloc(memory->regions, (size_t)(memory->count + 1) * sizeof(code_region));
    if (regions == NULL) { return 0; }
    memory->regions = regions;
    int descriptor = open_region();
    if (descriptor < 0) { return 0; }
    void *base = ftruncate(descriptor, REGION_BYTES) == 0
        ? mmap(NULL, REGION_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, descriptor, 0)
        : MAP_FAILED;
    if (base == MAP_FAILED) {
        close(descriptor);
        return 0;
    }
    regions[memory->count++] = (code_region){.base = base};
    memory->descriptor = descriptor;
    return 1;
}

spk_code spk_code_memory_add(spk_code_memory *memory, const void *bytes, int64_t count) {
    if (count <= 0 || count > REGION_BYTES) { return NULL; }
    if (memory->descriptor < 0 || memory->regions[memory->count - 1].used + count > REGION_BYTES) {
        if (!add_region(memory)) { return NULL; }
    }
    code_region *region = &memory->regions[memory->count - 1];
    int64_t written = 0;
    while (written < count) {
        ssize_t more = pwrite(
            memory->descriptor, (const char *)bytes + written, (size_t)(count - written), region->used + written);
        if (more <= 0) { return NULL; }
        written += more;
    }
    char *code = region->base + region->used;
    region->used = (region->used + count + 63) & -64;
    return (spk_code)(void *)code;
}

void spk_code_memory_seal(spk_code_memory *memory) {
    if (memory->descriptor >= 0) { close(memory->descriptor); }
    memory->descriptor = -1;
}

void spk_code_memory_destroy(spk_code_memory *memory) {
    spk_code_memory_seal(memory);
    for (int32_t r = 0; r < memory->count; r++) { munmap(memory->regions[r].base, REGION_BYTES); }
    free(memory->regions);
    free(memory);
}
