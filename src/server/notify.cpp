#include "server/notify.hpp"

#include "net/socket.hpp"

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace dyad::server {

void notify_service_manager(std::string_view state) noexcept {
    const char* const path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr) return;
    const std::size_t length = std::strlen(path);
    sockaddr_un address{};
    // A path, or a name in the abstract namespace, which is written with an at sign.
    if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = '\0';
    const net::Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return;
    // A service manager that does not listen is no reason to fail.
    static_cast<void>(sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address),
                             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length)));
}

std::int64_t watchdog_interval_ms() noexcept {
    const char* const interval = std::getenv("WATCHDOG_USEC");
    const char* const pid = std::getenv("WATCHDOG_PID");
    if (interval == nullptr) return 0;
    if (pid != nullptr && std::to_string(getpid()) != pid) return 0;
    std::int64_t us = 0;
    std::from_chars(interval, interval + std::strlen(interval), us);
    return us / 2000;  // twice as often as is asked for
}

}  // namespace dyad::server
