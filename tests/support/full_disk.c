/* Preloaded into the server: while the file that DYAD_TEST_FAULT names exists, writes to regular
 * files fail as on a full disk, or, where the file says "quota" or "large", as beyond a quota or the
 * largest file that is allowed; where it says "sync", every fsync fails as on a dying disk. */
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

/* Of writes, or of syncs; 0 where there is none. */
static int active(int sync) {
    const char *name = getenv("DYAD_TEST_FAULT");
    char word[8] = "";
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    if (read(file, word, sizeof word - 1) < 0) word[0] = 0;
    close(file);
    if (word[0] == 's') return sync ? EIO : 0;
    if (sync) return 0;
    return word[0] == 'q' ? EDQUOT : word[0] == 'l' ? EFBIG : ENOSPC;
}

static int fault_of(int fd, int sync) {
    struct stat status;
    const int kept = errno;
    int fault = fd > 2 ? active(sync) : 0;
    if (fault && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) fault = 0;
    errno = kept;
    return fault;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAILING(sync, result, name, arguments, call)  \
    result name arguments {                           \
        const int fault = fault_of(fd, sync);         \
        if (fault) {                                  \
            errno = fault;                            \
            return -1;                                \
        }                                             \
        return REAL(name) call;                       \
    }

FAILING(0, ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
FAILING(0, ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
FAILING(0, ssize_t, pwrite, (int fd, const void *p, size_t n, off_t o), (fd, p, n, o))
FAILING(0, ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t o), (fd, p, n, o))
FAILING(0, int, fallocate, (int fd, int m, off_t o, off_t n), (fd, m, o, n))
FAILING(0, int, fallocate64, (int fd, int m, off64_t o, off64_t n), (fd, m, o, n))
FAILING(1, int, fsync, (int fd), (fd))
FAILING(1, int, fdatasync, (int fd), (fd))

int posix_fallocate(int fd, off_t o, off_t n) {
    const int fault = fault_of(fd, 0);
    return fault ? fault : REAL(posix_fallocate)(fd, o, n);
}
