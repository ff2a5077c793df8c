#ifndef ASSAY_EPOLL_H
#define ASSAY_EPOLL_H

#include <stdint.h>

// epoll(7) and accept4(2), which Swift's Glibc module omits.

/// What a descriptor can be watched for; the values of epoll_ctl(2).
enum {
    ASSAY_EPOLL_IN = 0x001,
    ASSAY_EPOLL_OUT = 0x004,
    ASSAY_EPOLL_ERR = 0x008,   ///< reported without being asked for
    ASSAY_EPOLL_HUP = 0x010,   ///< both directions are closed; reported without being asked for
    ASSAY_EPOLL_RDHUP = 0x2000 ///< the peer sends no more
};

struct assay_epoll_event {
    uint32_t events;
    uint64_t token; ///< the one that was given to assay_epoll_set
};

/// A new epoll descriptor, close-on-exec; or -errno.
int assay_epoll_create(void);

/// Watches a descriptor for what `events` names, level-triggered. Returns 0 or -errno.
int assay_epoll_add(int epoll, int fd, uint32_t events, uint64_t token);
int assay_epoll_change(int epoll, int fd, uint32_t events, uint64_t token);
int assay_epoll_remove(int epoll, int fd);

/// Waits up to `milliseconds` and stores at most `capacity` events (no more than 256). Returns how many; 0 after a signal too; or -errno.
int assay_epoll_wait(int epoll, struct assay_epoll_event *events, int capacity, int milliseconds);

/// The next connection, non-blocking and close-on-exec; or -errno. `address` gets at most `*size` bytes of the peer's address.
int assay_accept(int listener, void *address, unsigned *size);

/// The process at the other end of a connected Unix socket, at the time of connect(2); 0 when it is not visible from here; or -errno.
int assay_peer_process(int fd);

#endif
