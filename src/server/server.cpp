#include "server/server.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/thread.hpp"
#include "server/notify.hpp"
#include "server/self_test.hpp"

#include <csignal>

#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace dyad::server {
namespace {

constexpr std::string_view kScope = "distributed_memory";

// Each asks for a drain. A SIGHUP that was ignored when the process started stays ignored: whoever
// used nohup wants the server to outlive the terminal.
sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) {
        struct sigaction before{};
        sigaction(number, nullptr, &before);
        if (number != SIGHUP || before.sa_handler != SIG_IGN) sigaddset(&set, number);
    }
    return set;
}

// Their default would end the process; they say nothing to this one.
void ignore_strangers() {
    for (const int number : {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR})
        std::signal(number, SIG_IGN);
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number)
        std::signal(number, SIG_IGN);
}

// Every client is a file descriptor: as many as the system lets this process have.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    static_cast<void>(setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace

// The signals that ask for an end, as bytes in a loop. Lifetime: within the loop's.
class Server::Signals final : public net::Watcher {
  public:
    Signals(net::Loop& loop, std::function<void()> call) : loop_(loop), call_(std::move(call)) {
        const sigset_t set = stop_signals();
        fd_ = net::Fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
        CHECK(fd_.valid() && loop_.add(fd_.get(), EPOLLIN, this).has_value());
    }
    ~Signals() override { loop_.remove(fd_.get(), this); }

    void on_ready(std::uint32_t) override {
        signalfd_siginfo info;
        while (read(fd_.get(), &info, sizeof info) == sizeof info) {
            // A terminal that is closed says so more than once.
            if (asked_ && info.ssi_signo == SIGHUP) continue;
            if (asked_) {
                // Nothing acknowledged is lost: the next start recovers as after a crash.
                log::warn(kScope, "stopping at once: asked a second time");
                _exit(130);
            }
            asked_ = true;
            log::info(kScope, "stopping: finishing what was accepted");
            call_();
        }
    }

  private:
    net::Loop& loop_;
    std::function<void()> call_;
    net::Fd fd_;
    bool asked_ = false;
};

Server::Server() = default;

Server::~Server() {
    signals_.reset();
    listeners_.clear();
}

void Server::prepare_process() {
    const sigset_t set = stop_signals();
    CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    std::signal(SIGPIPE, SIG_IGN);
    ignore_strangers();
    std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit of a file fails like a full disk
    raise_descriptor_limit();
}

Result<std::unique_ptr<Server>> Server::start(Settings settings, const Parts& parts,
                                              std::size_t cells) {
    prepare_process();
    TRY(self_test());
    ASSIGN_OR_RETURN(std::vector<net::Fd> sockets, net::listen_all(settings.host, settings.port));
    const std::uint16_t port = net::local_port(sockets.front().get());
    std::unique_ptr<Server> server(new Server());
    server->shared_ = std::make_unique<Shared>(std::move(settings), port);
    for (std::size_t i = 0; i < cells; ++i) {
        ASSIGN_OR_RETURN(auto cell, Cell::make(*server->shared_, parts, cells));
        server->cells_.push_back(std::move(cell));
    }
    Server* const self = server.get();
    net::Loop& loop = server->cells_.front()->loop();
    for (net::Fd& socket : sockets)
        server->listeners_.push_back(std::make_unique<net::Listener>(
            loop, std::move(socket), [self](net::Fd fd) { self->accepted(std::move(fd)); }));
    server->signals_ = std::make_unique<Signals>(loop, [self] { self->begin_drain(); });
    return server;
}

void Server::accepted(net::Fd fd) {
    Cell& cell = *cells_[next_cell_++ % cells_.size()];
    if (&cell == cells_.front().get())
        cell.accept(std::move(fd));
    else
        cell.adopt(std::move(fd));
}

void Server::run() {
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < cells_.size(); ++i)
        threads.emplace_back([cell = cells_[i].get()] {
            name_thread("cell");
            cell->run();
        });
    if (shared_->settings.enable_websocket)
        log::info("websocket_sync",
                  "WebSocket server started on port " + std::to_string(shared_->port));
    log::info(kScope, "Distributed memory systems initialized");
    notify_service_manager("READY=1");
    watchdog();
    cells_.front()->run();
    for (std::thread& thread : threads)
        thread.join();
    log::info(kScope, "stopped");
}

void Server::watchdog() {
    const std::int64_t interval_ms = watchdog_interval_ms();
    if (interval_ms <= 0) return;
    notify_service_manager("WATCHDOG=1");
    cells_.front()->after(interval_ms, [this] { watchdog(); });
}

void Server::drain() {
    cells_.front()->loop().post([this] { begin_drain(); });
}

void Server::begin_drain() {
    if (shared_->draining.exchange(true)) return;
    notify_service_manager("STOPPING=1");
    for (const auto& listener : listeners_)
        listener->close();
    for (const auto& cell : cells_)
        cell->begin_drain();
}

}  // namespace dyad::server
