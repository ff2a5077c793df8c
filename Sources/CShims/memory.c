#define _GNU_SOURCE
#include "include/memory.h"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

// Whether the loader has written into segments that are not writable. What it wrote is not in the file.
static int has_text_relocations(const struct dl_phdr_info *object) {
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_DYNAMIC) continue;
        const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + header->p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++) {
            if (entry->d_tag == DT_TEXTREL) return 1;
            if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)) return 1;
        }
    }
    return 0;
}

static int unmap_code(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    (void)context;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (has_text_relocations(object)) return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_W)) continue;
        uintptr_t start = (object->dlpi_addr + header->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + header->p_vaddr + header->p_filesz) & ~(page - 1);
        // When a page is used, the kernel maps it again: from the file, which is in its cache, or its own page of the vDSO.
        if (start < end) (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

static void *give_back(void *context) {
    unsigned seconds = (unsigned)(uintptr_t)context;
    for (;;) {
        sleep(seconds);
        // free gives back the end of a heap only; what lies between what is still used stays resident for ever without this.
        malloc_trim(0);
        // The start of a process reads nearly all of its executable, which stays mapped for ever without this.
        dl_iterate_phdr(unmap_code, NULL);
    }
    return NULL;
}

void assay_return_memory(unsigned seconds) {
    mallopt(M_ARENA_MAX, 2);
    // A threshold that is set stays: by default it grows to 32 MiB with the blocks that are freed, and such blocks then stay in the heap.
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 512 << 10);

    // Other threads handle the signals of the process.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_t thread;
    // Without the thread memory is only given back later.
    (void)pthread_create(&thread, &attributes, give_back, (void *)(uintptr_t)seconds);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
}
