#ifndef ASSAY_CHECKSUM_H
#define ASSAY_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// 64 bits that tell a torn or damaged file from a whole one; no protection against anybody who means it. In C because it is
/// taken of every result twice, also by builds without an optimiser.
uint64_t assay_checksum(const void *bytes, size_t count);

#endif
