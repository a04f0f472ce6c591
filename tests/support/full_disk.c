/* Preloaded into the server: while the file that DYAD_TEST_FAULT names exists, writes to regular
 * files fail as on a full disk, or, where the file says "sync", every fsync fails as on a dying
 * one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault { NONE, FULL, SYNC };

static enum fault active(void) {
    const char *name = getenv("DYAD_TEST_FAULT");
    struct stat status;
    if (!name || stat(name, &status) != 0) return NONE;
    return status.st_size >= 4 ? SYNC : FULL;
}

static int hits(int fd, enum fault which) {
    struct stat status;
    return fd > 2 && active() == which && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAILING(which, error, result, name, arguments, call)  \
    result name arguments {                                   \
        if (hits(fd, which)) {                                \
            errno = error;                                    \
            return -1;                                        \
        }                                                     \
        return REAL(name) call;                               \
    }

FAILING(FULL, ENOSPC, ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
FAILING(FULL, ENOSPC, ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
FAILING(FULL, ENOSPC, ssize_t, pwrite, (int fd, const void *p, size_t n, off_t o), (fd, p, n, o))
FAILING(FULL, ENOSPC, ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t o),
        (fd, p, n, o))
FAILING(FULL, ENOSPC, int, fallocate, (int fd, int m, off_t o, off_t n), (fd, m, o, n))
FAILING(FULL, ENOSPC, int, fallocate64, (int fd, int m, off64_t o, off64_t n), (fd, m, o, n))
FAILING(SYNC, EIO, int, fsync, (int fd), (fd))
FAILING(SYNC, EIO, int, fdatasync, (int fd), (fd))

int posix_fallocate(int fd, off_t o, off_t n) {
    return hits(fd, FULL) ? ENOSPC : REAL(posix_fallocate)(fd, o, n);
}
