#include "checksum.h"

#include <string.h>

// Words of eight bytes, each multiplied and folded into the next (the finaliser of MurmurHash3 between them): every bit of
// the input reaches every bit of the sum.
static uint64_t mix(uint64_t x) {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

uint64_t assay_checksum(const void *bytes, size_t count) {
    const unsigned char *next = bytes;
    uint64_t sum = mix(count + 0x9e3779b97f4a7c15ULL);
    uint64_t word;
    for (; count >= sizeof word; count -= sizeof word, next += sizeof word) {
        memcpy(&word, next, sizeof word);
        sum = mix(sum ^ word) + 0x9e3779b97f4a7c15ULL;
    }
    word = 0;
    if (count > 0) memcpy(&word, next, count);
    return mix(sum ^ word);
}
