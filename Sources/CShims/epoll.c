#define _GNU_SOURCE
#include "include/epoll.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

_Static_assert(ASSAY_EPOLL_IN == EPOLLIN && ASSAY_EPOLL_OUT == EPOLLOUT && ASSAY_EPOLL_ERR == EPOLLERR, "epoll_ctl(2)");
_Static_assert(ASSAY_EPOLL_HUP == EPOLLHUP && ASSAY_EPOLL_RDHUP == EPOLLRDHUP, "epoll_ctl(2)");

int assay_epoll_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

static int control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

int assay_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) { return control(epoll, EPOLL_CTL_ADD, fd, events, token); }

int assay_epoll_change(int epoll, int fd, uint32_t events, uint64_t token) { return control(epoll, EPOLL_CTL_MOD, fd, events, token); }

int assay_epoll_remove(int epoll, int fd) { return control(epoll, EPOLL_CTL_DEL, fd, 0, 0); }

int assay_epoll_wait(int epoll, struct assay_epoll_event *events, int capacity, int milliseconds) {
    // The kernel's structure is packed on x86-64, which Swift cannot lay out.
    struct epoll_event found[256];
    int count = epoll_wait(epoll, found, capacity < 256 ? capacity : 256, milliseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        events[i].events = found[i].events;
        events[i].token = found[i].data.u64;
    }
    return count;
}

int assay_accept(int listener, void *address, unsigned *size) {
    int fd = accept4(listener, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int assay_peer_process(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : -errno;
}
