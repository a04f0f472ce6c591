// A blocking connection to a server of this machine.
#pragma once

#include "net/socket.hpp"

#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dyad::test {

// `host`: 127.0.0.1, ::1, or localhost for whichever of them answers. Not valid where nobody does.
inline net::Fd dial(const std::string& host, std::uint16_t port) {
    if (host == "localhost") {
        net::Fd first = dial("127.0.0.1", port);
        return first.valid() ? std::move(first) : dial("::1", port);
    }
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    const bool v6 = inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1;
    if (!v6 && inet_pton(AF_INET, host.c_str(), &four.sin_addr) != 1) return {};
    net::Fd fd(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int code = v6 ? connect(fd.get(), reinterpret_cast<const sockaddr*>(&six), sizeof six)
                        : connect(fd.get(), reinterpret_cast<const sockaddr*>(&four), sizeof four);
    return code == 0 ? std::move(fd) : net::Fd();
}

}  // namespace dyad::test
