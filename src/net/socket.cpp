#include "net/socket.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dyad::net {
namespace {

constexpr int kBacklog = 4096;
constexpr int kPortTries = 16;

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<Address> address_of(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
    addrinfo* found = nullptr;
    std::string name = host;
    if (name.size() > 2 && name.front() == '[' && name.back() == ']')
        name = name.substr(1, name.size() - 2);
    // The library takes "*" for the loopback address; whoever writes it means something else.
    if (name == "*") name.clear();
    const int code = getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (code != 0)
        return fail(Errc::invalid_field,
                    "host: \"" + host + "\" is not an address: " + gai_strerror(code));
    Address address;
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    address.size = found->ai_addrlen;
    freeaddrinfo(found);
    return address;
}

// The inodes of sockets that listen on `port`, from /proc/net/tcp (proc(5)).
void listening_inodes(const char* table, std::uint16_t port,
                      std::map<std::string, std::string>& inodes) {
    std::ifstream in(table);
    std::string line;
    std::getline(in, line);  // the heading
    while (std::getline(in, line)) {
        std::istringstream fields(line);
        std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
        fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
            timeout >> inode;
        const std::size_t colon = local.rfind(':');
        if (state != "0A" || colon == std::string::npos) continue;  // TCP_LISTEN
        unsigned value = 0;
        std::from_chars(local.data() + colon + 1, local.data() + local.size(), value, 16);
        if (value == port) inodes.emplace("socket:[" + inode + "]", uid);
    }
}

}  // namespace

void Fd::reset(int fd) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

IoResult send_some(int fd, std::span<const iovec> parts) noexcept {
    ssize_t sent = 0;
    if (parts.size() == 1) {  // most often, and cheaper
        sent = ::send(fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
        msghdr message{};
        message.msg_iov = const_cast<iovec*>(parts.data());
        message.msg_iovlen = std::min<std::size_t>(parts.size(), 1024);  // IOV_MAX
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (sent >= 0) return {Io::ok, static_cast<std::size_t>(sent)};
    if (errno == EAGAIN || errno == EINTR) return {Io::would_block, 0};
    return {Io::closed, 0};
}

IoResult receive_some(int fd, std::span<char> buffer) noexcept {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) return {Io::ok, static_cast<std::size_t>(got)};
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {Io::would_block, 0};
    return {Io::closed, 0};
}

// Processes and descriptors come and go meanwhile: each step may fail, and none throws.
PortHolder port_holder(std::uint16_t port, bool v6_only) {
    namespace fs = std::filesystem;
    std::map<std::string, std::string> inodes;  // and whose they are
    if (!v6_only) listening_inodes("/proc/net/tcp", port, inodes);
    listening_inodes("/proc/net/tcp6", port, inodes);
    if (inodes.empty()) return {};
    std::error_code error;
    const fs::directory_iterator end;
    for (fs::directory_iterator process("/proc", error); !error && process != end;
         process.increment(error)) {
        const std::string pid = process->path().filename();
        if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
        std::error_code gone;
        for (fs::directory_iterator descriptor(process->path() / "fd", gone);
             !gone && descriptor != end; descriptor.increment(gone)) {
            std::error_code closed;
            const fs::path target = fs::read_symlink(*descriptor, closed);
            if (closed || !inodes.contains(target.string())) continue;
            std::ifstream in(process->path() / "comm");
            std::string name;
            std::getline(in, name);
            PortHolder holder;
            std::from_chars(pid.data(), pid.data() + pid.size(), holder.process);
            holder.text = "process " + pid + " (" + name + ")";
            return holder;
        }
    }
    const std::string& owner = inodes.begin()->second;
    const passwd* const user =
        getpwuid(static_cast<uid_t>(std::strtoul(owner.c_str(), nullptr, 10)));
    return {.process = 0,
            .text = "a process of user " + (user != nullptr ? std::string(user->pw_name) : owner)};
}

Result<Fd> listen_tcp(const std::string& host, std::uint16_t port) {
    ASSIGN_OR_RETURN(const Address address, address_of(host, port));
    const bool v6 = address.storage.ss_family == AF_INET6;
    Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd.valid()) {
        const int one = 1;
        setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // accepted ones, too
        if (v6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
        if (bind(fd.get(), address.get(), address.size) == 0 && listen(fd.get(), kBacklog) == 0)
            return fd;
    }
    const int code = errno;
    if (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM)
        return fail(Errc::unavailable, "no socket can be made");
    if (code == EADDRINUSE) {
        const std::string holder = port_holder(port, v6).text;
        return fail(Errc::unavailable,
                    "port " + std::to_string(port) + " is in use" +
                        (holder.empty() ? std::string(" by another process") : " by " + holder) +
                        " at " + host +
                        "; stop it, or choose another port with --port or WS_SYNC_PORT");
    }
    if (code == EACCES)
        return fail(Errc::unavailable, "port " + std::to_string(port) +
                                           " needs more rights; choose one above 1023 with --port");
    return fail(Errc::invalid_field, "host: cannot listen on " + host + " port " +
                                         std::to_string(port) + ": " + std::strerror(code));
}

Result<std::vector<Fd>> listen_all(const std::string& host, std::uint16_t port, ListenFn listen) {
    std::vector<std::string> addresses = {host};
    if (host == "localhost") addresses = {"127.0.0.1", "::1"};
    if (host == "::" || host == "[::]") addresses = {"0.0.0.0", "::"};
    if (host == "0.0.0.0") addresses = {"0.0.0.0", "::1"};
    for (int tries = 1;; ++tries) {
        std::vector<Fd> sockets;
        std::optional<Error> missing, taken;
        for (const std::string& address : addresses) {
            const std::uint16_t same = sockets.empty() ? port : local_port(sockets[0].get());
            Result<Fd> fd = listen(address, same);
            if (fd)
                sockets.push_back(*std::move(fd));
            else if (fd.error().code == Errc::invalid_field && addresses.size() > 1)
                missing = fd.error();
            else
                taken = fd.error();
            if (taken) break;
        }
        // A port that the system chose in one family may be taken in the other.
        if (taken && port == 0 && !sockets.empty() && tries < kPortTries) continue;
        if (taken) return *taken;
        if (sockets.empty()) return *missing;
        return sockets;
    }
}

std::uint16_t local_port(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    if (address.ss_family == AF_INET6)
        return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace dyad::net
