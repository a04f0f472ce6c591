#include "conformance/bus/redis_support.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace dyad::conformance {

using namespace std::chrono_literals;

std::uint16_t free_port() {
    // A cluster's second port is this one and 10,000.
    for (;;) {
        const auto fd = net::listen_tcp("127.0.0.1", 0);
        CHECK(fd.has_value());
        const std::uint16_t port = net::local_port(fd->get());
        const bool ephemeral = port > 20000;
        const auto candidate = static_cast<std::uint16_t>(ephemeral ? port - 12000 : port);
        if (candidate + 10000 < 65536 && net::listen_tcp("127.0.0.1", candidate)) return candidate;
    }
}

bool redis_is_missing() {
    return std::system("command -v redis-server >/dev/null 2>&1") != 0;
}

ScratchFolder::ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "dyad-redis-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

RedisProcess::RedisProcess(std::vector<std::string> arguments, std::uint16_t port)
    : arguments_(std::move(arguments)), port_(port) {
    start();
}

RedisProcess::~RedisProcess() {
    stop();
}

bus::RedisUrl RedisProcess::url() const {
    bus::RedisUrl url;
    url.host = "127.0.0.1";
    url.port = port_;
    return url;
}

void RedisProcess::start() {
    std::vector<std::string> words{
        "redis-server",  "--bind",      "127.0.0.1", "--save",      "",
        "--appendonly",  "no",          "--dir",     folder_ / ".", "--logfile",
        folder_ / "log", "--daemonize", "no"};
    bool says_port = false;
    for (const std::string& word : arguments_)
        says_port = says_port || word == "--port";
    if (!says_port) words.insert(words.end(), {"--port", std::to_string(port_)});
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    CHECK(posix_spawnp(&pid_, "redis-server", nullptr, nullptr, argv.data(), environ) == 0);
    for (int i = 0; i < 500; ++i) {
        const net::Fd fd = dial_local(port_);
        if (fd.valid()) return;
        std::this_thread::sleep_for(10ms);
    }
    CHECK(false);
}

void RedisProcess::stop() {
    if (pid_ == 0) return;
    kill(pid_, SIGCONT);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
}

void RedisProcess::send_signal(int number) const {
    kill(pid_, number);
}

net::Fd dial_local(std::uint16_t port) {
    net::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fd.reset();
    return fd;
}

PlainClient::PlainClient(std::uint16_t port) : fd_(dial_local(port)) {
    CHECK(fd_.valid());
}

void PlainClient::send(const std::vector<std::string>& parts) {
    std::string text;
    bus::append_command_head(text, parts.size());
    for (const std::string& part : parts)
        bus::append_command_part(text, part);
    CHECK(::write(fd_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

bus::Reply PlainClient::next(int timeout_ms) {
    while (arrived_.empty()) {
        pollfd one{fd_.get(), POLLIN, 0};
        if (poll(&one, 1, timeout_ms) <= 0) return {};
        char bytes[65536];
        const ssize_t got = read(fd_.get(), bytes, sizeof bytes);
        if (got <= 0) return {};
        CHECK(reader_
                  .feed({bytes, static_cast<std::size_t>(got)},
                        [this](bus::Reply&& reply) { arrived_.push_back(std::move(reply)); })
                  .has_value());
    }
    bus::Reply reply = std::move(arrived_.front());
    arrived_.pop_front();
    return reply;
}

bus::Reply PlainClient::ask(const std::vector<std::string>& parts) {
    send(parts);
    return next(5000);
}

long long PlainClient::calls_of(const std::string& command) {
    const std::string text = ask({"INFO", "commandstats"}).text;
    const std::string wanted = "cmdstat_" + command + ":calls=";
    const std::size_t at = text.find(wanted);
    return at == std::string::npos ? 0 : std::atoll(text.c_str() + at + wanted.size());
}

bool run_until(net::Loop& loop, const std::function<bool()>& done, int timeout_ms) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (!done()) {
        if (std::chrono::steady_clock::now() > end) return false;
        loop.run_once(10);
    }
    return true;
}

class Forwarder::Pair {
  public:
    Pair(net::Loop& loop, net::Fd client, net::Fd server)
        : loop_(loop), sides_{Side{*this, std::move(client)}, Side{*this, std::move(server)}} {
        for (Side& side : sides_) {
            fcntl(side.fd.get(), F_SETFL, O_NONBLOCK);
            CHECK(loop_.add(side.fd.get(), EPOLLIN, &side).has_value());
        }
    }
    ~Pair() { end(); }
    void fall_silent() {
        silent_ = true;
        for (Side& side : sides_)
            if (side.fd.valid()) loop_.modify(side.fd.get(), 0, &side);
    }

  private:
    struct Side final : net::Watcher {
        Side(Pair& its, net::Fd of) : pair(its), fd(std::move(of)) {}
        void on_ready(std::uint32_t) override { pair.hand_on(*this); }
        Pair& pair;
        net::Fd fd;
    };

    void hand_on(Side& from) {
        if (silent_) return;
        Side& to = &from == &sides_[0] ? sides_[1] : sides_[0];
        char bytes[65536];
        const net::IoResult got = net::receive_some(from.fd.get(), bytes);
        if (got.state == net::Io::would_block) return;
        if (got.state == net::Io::closed) return end();
        // What is tested through this is small.
        CHECK(::write(to.fd.get(), bytes, got.bytes) == static_cast<ssize_t>(got.bytes));
    }
    void end() {
        for (Side& side : sides_) {
            if (side.fd.valid()) loop_.remove(side.fd.get(), &side);
            side.fd.reset();
        }
    }

    net::Loop& loop_;
    Side sides_[2];
    bool silent_ = false;
};

Forwarder::Forwarder(net::Loop& loop, std::uint16_t to)
    : loop_(loop), to_(to), listener_(*net::listen_tcp("127.0.0.1", 0)) {
    CHECK(loop_.add(listener_.get(), EPOLLIN, this).has_value());
}

Forwarder::~Forwarder() {
    loop_.remove(listener_.get(), this);
}

std::uint16_t Forwarder::port() const {
    return net::local_port(listener_.get());
}

void Forwarder::on_ready(std::uint32_t) {
    net::Fd client(accept(listener_.get(), nullptr, nullptr));
    net::Fd server = dial_local(to_);
    if (client.valid() && server.valid())
        pairs_.push_back(std::make_unique<Pair>(loop_, std::move(client), std::move(server)));
}

void Forwarder::fall_silent() {
    pairs_.back()->fall_silent();
}

}  // namespace dyad::conformance
