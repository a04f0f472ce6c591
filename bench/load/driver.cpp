#include "load/driver.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace dyad::bench {
namespace {

constexpr std::size_t kReachedMax = 1 << 20;  // messages in flight, at most
constexpr std::size_t kInputBytes = 256 * 1024;
constexpr std::size_t kConnectingMax = 100;
constexpr double kConnectSeconds = 120;
constexpr int kStalledBufferBytes = 4096;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kMillisecondNs = 1'000'000;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "wsload: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

[[noreturn]] void refused(const std::string& what) {
    std::fprintf(stderr, "wsload: %s\n", what.c_str());
    std::exit(3);
}

void allow_many_files() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Driver::Driver(const Options& options)
    : options_(options),
      dialect_(options),
      epoll_(epoll_create1(0)),
      clients_((options.subscribers + 1) * options.rooms + options.stalled),
      reached_(kReachedMax),
      input_(kInputBytes, '\0') {
    allow_many_files();
    prctl(PR_SET_TIMERSLACK, 1UL);  // a message is due when it is due
    const std::size_t first_writer = options.subscribers * options.rooms;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        Client& client = clients_[i];
        client.writer = i >= first_writer && i < first_writer + options.rooms;
        client.stalled = i >= first_writer + options.rooms;
        client.room = static_cast<std::uint32_t>(client.stalled  ? 0
                                                 : client.writer ? i - first_writer
                                                                 : i / options.subscribers);
    }
}

std::size_t Driver::listeners() const {
    return options_.mode == Mode::acked ? 1 : options_.subscribers;
}

std::int64_t Driver::missing_deliveries() const {
    return static_cast<std::int64_t>(counts_.sent * listeners()) -
           static_cast<std::int64_t>(counts_.deliveries);
}

// ---- connecting -----------------------------------------------------------------------------

void Driver::watch(Client& client, std::uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = static_cast<std::uint64_t>(&client - clients_.data());
    if (epoll_ctl(epoll_, operation, client.fd, &event) != 0) fail("epoll_ctl");
}

void Driver::start(std::size_t index) {
    Client& client = clients_[index];
    client.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client.fd < 0) fail("socket");
    const int one = 1;
    setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (client.stalled)
        setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &kStalledBufferBytes,
                   sizeof kStalledBufferBytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (options_.sources > 1) {
        setsockopt(client.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        address.sin_addr.s_addr =
            htonl(INADDR_LOOPBACK + 1 + static_cast<std::uint32_t>(index % options_.sources));
        if (bind(client.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            fail("bind");
    }
    address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr);
    if (connect(client.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
        errno != EINPROGRESS)
        fail("connect");
    watch(client, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
}

void Driver::connect_all() {
    const double begin = now_s();
    std::size_t started = 0;
    while (ready_ < clients_.size()) {
        while (started < clients_.size() && started - ready_ < kConnectingMax)
            start(started++);
        pump(kSecondNs);
        if (now_s() - begin > kConnectSeconds)
            refused("only " + std::to_string(ready_) + " of " + std::to_string(clients_.size()) +
                    " clients were served in two minutes");
    }
}

void Driver::opened(Client& client) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) refused(std::string("connect: ") + std::strerror(error));
    client.phase = Client::Phase::upgrading;
    client.output = dialect_.handshake(client.room, client.writer);
}

void Driver::advance(Client& client) {
    if (client.phase == Client::Phase::upgrading) {
        const std::size_t end = client.heard.find("\r\n\r\n");
        if (end == std::string::npos) return;
        if (client.heard.find(" 101 ") > end) refused("not upgraded: " + client.heard);
        const std::string rest = client.heard.substr(end + 4);
        client.heard.clear();
        client.phase = Client::Phase::greeting;
        const auto index = static_cast<std::size_t>(&client - clients_.data());
        client.output = dialect_.greeting(index, client.room, client.writer);
        flush(client);
        if (!rest.empty()) take(client, rest);
    }
    if (client.phase != Client::Phase::greeting || !dialect_.knows_us(client.heard)) return;
    client.phase = Client::Phase::ready;
    client.heard = {};
    ++ready_;
    if (client.stalled) watch(client, 0, EPOLL_CTL_DEL);
}

// ---- input and output -----------------------------------------------------------------------

void Driver::pump(std::int64_t wait_ns) {
    std::array<epoll_event, 1024> events;
    const timespec wait{.tv_sec = wait_ns / kSecondNs, .tv_nsec = wait_ns % kSecondNs};
    const int count =
        epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
    for (int i = 0; i < count; ++i) {
        Client& client = clients_[events[i].data.u64];
        if ((events[i].events & EPOLLOUT) != 0) {
            watch(client, EPOLLIN, EPOLL_CTL_MOD);
            if (client.phase == Client::Phase::connecting) opened(client);
            flush(client);
        }
        if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(client);
    }
}

void Driver::pump_for(double seconds) {
    for (const double end = now_s() + seconds; now_s() < end;)
        pump(20 * kMillisecondNs);
}

void Driver::read(Client& client) {
    for (;;) {
        const ssize_t size = recv(client.fd, input_.data(), input_.size(), 0);
        ++counts_.reads;
        if (size < 0) {
            if (errno == EAGAIN || errno == EINTR) return;
            fail("recv");
        }
        if (size == 0) refused("the server has closed a connection");
        const std::string_view bytes(input_.data(), static_cast<std::size_t>(size));
        if (client.phase == Client::Phase::upgrading) {
            client.heard.append(bytes);
        } else {
            if (client.phase == Client::Phase::ready) received_ns_ = now_ns();
            take(client, bytes);
        }
        if (client.phase != Client::Phase::ready) advance(client);
        if (bytes.size() < input_.size()) return;
    }
}

void Driver::take(Client& client, std::string_view bytes) {
    const bool silent = client.writer && options_.mode != Mode::acked;
    const bool open = client.deframer.feed(bytes, counts_.frames, [&](std::string_view payload) {
        if (client.phase != Client::Phase::ready)
            client.heard.append(payload);
        else if (!silent)
            client.scanner.feed(payload, dialect_.bytes_after_marker(),
                                [&](Marker marker) { deliver(client, marker); });
    });
    if (!open) refused("the server has closed a connection with a close frame");
}

void Driver::deliver(Client& client, Marker marker) {
    // An acknowledgement and the event of the same write both come.
    if (options_.mode == Mode::acked && static_cast<std::int64_t>(marker.number) <= client.last)
        return;
    const auto expected = client.last + static_cast<std::int64_t>(options_.rooms);
    if (client.last >= 0 && marker.number != expected) ++counts_.out_of_order;
    client.last = marker.number;
    ++counts_.deliveries;
    if (measuring_)
        latencies_.add(received_ns_ > marker.written_ns ? received_ns_ - marker.written_ns : 0);
    std::uint32_t& reached = reached_[marker.number % kReachedMax];
    if (++reached < listeners()) return;
    reached = 0;
    ++counts_.completed;
}

void Driver::flush(Client& client) {
    while (!client.output.empty()) {
        const ssize_t size =
            send(client.fd, client.output.data(), client.output.size(), MSG_NOSIGNAL);
        if (size < 0) {
            if (errno != EAGAIN) fail("send");
            watch(client, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            return;
        }
        client.output.erase(0, static_cast<std::size_t>(size));
    }
}

// ---- the load -------------------------------------------------------------------------------

void Driver::write_one() {
    const std::size_t room = counts_.sent % options_.rooms;
    Client& writer = clients_[options_.subscribers * options_.rooms + room];
    dialect_.write(writer.output, room,
                   {.written_ns = now_ns(), .number = static_cast<std::uint32_t>(counts_.sent)});
    ++counts_.sent;
}

bool Driver::write_due() {
    if (!writing_) return false;
    const std::uint64_t before = counts_.sent;
    if (options_.rate > 0) {
        const std::uint64_t now = now_ns();
        if (next_due_ns_ == 0) next_due_ns_ = now;
        for (; next_due_ns_ <= now; next_due_ns_ += static_cast<std::uint64_t>(1e9 / options_.rate))
            write_one();
    } else {
        while (counts_.sent - counts_.completed < options_.window &&
               (options_.count == 0 || counts_.sent < options_.count))
            write_one();
    }
    if (counts_.sent == before) return false;
    const std::size_t first_writer = options_.subscribers * options_.rooms;
    for (std::size_t room = 0; room < options_.rooms; ++room)
        flush(clients_[first_writer + room]);
    return true;
}

std::int64_t Driver::wait_ns() const {
    if (!writing_) return 5 * kMillisecondNs;
    if (options_.rate <= 0) return 50 * kMillisecondNs;
    return std::max<std::int64_t>(static_cast<std::int64_t>(next_due_ns_ - now_ns()), 0);
}

}  // namespace dyad::bench
