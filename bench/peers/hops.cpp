// hops: how long one message is on its way, one at a time, each way in turn.
//
//     hops --rounds N [--pause-us N] [--user U] [--redis PORT] [--websocket PORT]
//          [--from PORT --to PORT]
//
// `redis`: from a PUBLISH to the subscriber. `websocket`: through `raw_server epoll`, from a client
// to another one. `nodes`: from the acknowledgement that a client of one node gets to the delivery
// to a client of another one (`dyad.v2`). All ways in one round, so that whatever else the machine
// does falls on each. Prints {way: {p50, p99, max}} in microseconds.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr int kPatienceMs = 10'000;

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "hops: %s\n", what.c_str());
    std::exit(1);
}

double now_us() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

class Socket {
  public:
    explicit Socket(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int one = 1;
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            fail("nobody listens on port " + std::to_string(port));
    }
    ~Socket() { close(fd_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    int fd() const { return fd_; }
    void send_all(std::string_view bytes) const {
        if (send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(bytes.size()))
            fail("what is sent is not taken");
    }
    // Reads what is there. True: `text` has come since it was last seen.
    bool has(std::string_view text) {
        char bytes[1 << 16];
        const ssize_t size = recv(fd_, bytes, sizeof bytes, 0);
        if (size <= 0) fail("a server has closed a connection");
        heard_.append(bytes, static_cast<std::size_t>(size));
        if (heard_.find(text) == std::string::npos) return false;
        heard_.clear();
        return true;
    }
    void wait_for(std::string_view text);

  private:
    int fd_;
    std::string heard_;
};

// When each of them has had `text`.
std::vector<double> wait_all(const std::vector<Socket*>& sockets, std::string_view text) {
    std::vector<double> times(sockets.size());
    std::vector<pollfd> waiting;
    for (const Socket* socket : sockets)
        waiting.push_back({socket->fd(), POLLIN, 0});
    for (std::size_t left = sockets.size(); left > 0;) {
        if (poll(waiting.data(), waiting.size(), kPatienceMs) <= 0)
            fail("no answer with " + std::string(text));
        const double now = now_us();
        for (std::size_t i = 0; i < sockets.size(); ++i) {
            if (waiting[i].revents == 0 || !sockets[i]->has(text)) continue;
            times[i] = now;
            waiting[i].fd = -1;
            waiting[i].revents = 0;
            left -= 1;
        }
    }
    return times;
}

void Socket::wait_for(std::string_view text) {
    wait_all({this}, text);
}

// A text frame; the mask of zeros leaves the bytes as they are.
std::string frame(std::string_view text) {
    std::string out = "\x81";
    if (text.size() < 126) {
        out.push_back(static_cast<char>(0x80 | text.size()));
    } else {
        out.push_back(static_cast<char>(0x80 | 126));
        out.push_back(static_cast<char>(text.size() >> 8));
        out.push_back(static_cast<char>(text.size() & 255));
    }
    return out.append(4, '\0').append(text);
}

std::unique_ptr<Socket> websocket(int port, const std::string& path, const std::string& more) {
    auto socket = std::make_unique<Socket>(port);
    socket->send_all("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                     "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n" +
                     more + "\r\n");
    socket->wait_for("\r\n\r\n");
    return socket;
}

// One way: two connections, and what says how long one message took.
class Way {
  public:
    virtual ~Way() = default;
    virtual double go(const std::string& marker) = 0;
};

class RedisWay final : public Way {
  public:
    explicit RedisWay(int port) : publisher_(port), subscriber_(port) {
        subscriber_.send_all("*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nhops\r\n");
        subscriber_.wait_for(":1\r\n");
    }
    double go(const std::string& marker) override {
        const std::string text = marker + std::string(500, 'x');  // about what a node says
        const std::string command = "*3\r\n$7\r\nPUBLISH\r\n$4\r\nhops\r\n$" +
                                    std::to_string(text.size()) + "\r\n" + text + "\r\n";
        const double begin = now_us();
        publisher_.send_all(command);
        const double end = wait_all({&subscriber_}, marker)[0];
        publisher_.wait_for("\r\n");
        return end - begin;
    }

  private:
    Socket publisher_;
    Socket subscriber_;
};

class WebSocketWay final : public Way {
  public:
    explicit WebSocketWay(int port)
        : listener_(websocket(port, "/hops", "")), writer_(websocket(port, "/hops?pub", "")) {}
    double go(const std::string& marker) override {
        const std::string text = frame(marker + std::string(500, 'x'));
        const double begin = now_us();
        writer_->send_all(text);
        return wait_all({listener_.get()}, marker)[0] - begin;
    }

  private:
    std::unique_ptr<Socket> listener_;
    std::unique_ptr<Socket> writer_;
};

class NodesWay final : public Way {
  public:
    NodesWay(int from, int to, const std::string& user)
        : writer_(open(from, user, "hops-writer")), reader_(open(to, user, "hops-reader")) {}
    double go(const std::string& marker) override {
        writer_->send_all(frame(
            R"({"type":"command","id":")" + marker +
            R"(","payload":{"op":"context.put","contextKey":"hops","force":true,"data":{"k":")" +
            std::string(48, 'x') + R"("}}})"));
        const std::vector<double> times = wait_all({writer_.get(), reader_.get()}, marker);
        return times[1] - times[0];
    }

  private:
    static std::unique_ptr<Socket> open(int port, const std::string& user, const char* instance) {
        auto socket = websocket(port, "/sync", "Sec-WebSocket-Protocol: dyad.v2\r\n");
        socket->send_all(frame(R"({"type":"hello","payload":{"protocol":2,"userId":")" + user +
                               R"(","instanceId":")" + instance + "\"}}"));
        socket->wait_for("\"live\":true");
        return socket;
    }
    std::unique_ptr<Socket> writer_;
    std::unique_ptr<Socket> reader_;
};

double quantile(const std::vector<double>& sorted, double share) {
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void print(std::map<std::string, std::vector<double>>& times) {
    std::string out;
    for (auto& [name, of_way] : times) {
        std::sort(of_way.begin(), of_way.end());
        char line[160];
        std::snprintf(line, sizeof line, R"(%s"%s":{"p50":%.1f,"p99":%.1f,"max":%.1f})",
                      out.empty() ? "" : ",", name.c_str(), quantile(of_way, 0.5),
                      quantile(of_way, 0.99), of_way.back());
        out += line;
    }
    std::printf("{%s}\n", out.c_str());
}

}  // namespace

int main(int count, char** words) {
    std::map<std::string, std::string> given = {
        {"--rounds", "1000"}, {"--pause-us", "5000"}, {"--user", "hops"}};
    for (int i = 1; i + 1 < count; i += 2)
        given[words[i]] = words[i + 1];
    const auto number = [&](const char* flag) { return std::atoi(given[flag].c_str()); };
    std::vector<std::pair<std::string, std::unique_ptr<Way>>> ways;
    if (number("--redis") > 0)
        ways.emplace_back("redis", std::make_unique<RedisWay>(number("--redis")));
    if (number("--websocket") > 0)
        ways.emplace_back("websocket", std::make_unique<WebSocketWay>(number("--websocket")));
    if (number("--from") > 0)
        ways.emplace_back(
            "nodes", std::make_unique<NodesWay>(number("--from"), number("--to"), given["--user"]));
    if (ways.empty() || number("--rounds") < 1) fail("there is nothing to measure");
    std::map<std::string, std::vector<double>> times;
    const int warm = 20;
    for (int round = -warm; round < number("--rounds"); ++round)
        for (const auto& [name, way] : ways) {
            const std::string marker = "hop-" + std::to_string(getpid()) + "-" + name + "-" +
                                       std::to_string(round + warm) + "-";
            const double took = way->go(marker);
            if (round >= 0) times[name].push_back(took);
            // Not in step with what looks at something every so often.
            usleep(static_cast<useconds_t>(number("--pause-us") * (75 + rand() % 50) / 100));
        }
    print(times);
    return 0;
}
