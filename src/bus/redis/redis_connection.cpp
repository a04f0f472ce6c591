#include "bus/redis/redis_connection.hpp"

#include "base/limits.hpp"
#include "base/metrics.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace dyad::bus {
namespace {

constexpr std::int64_t kFirstPauseMs = 50;
constexpr std::int64_t kCheckMs = 500;
constexpr std::int64_t kSettledMs = 5000;  // a connection that lasts so long was no failure
constexpr int kReadsPerTurn = 16;
constexpr std::size_t kErrorBytesMax = 200;

std::string at(const Endpoint& endpoint) {
    return endpoint.host + ":" + std::to_string(endpoint.port);
}

// What an error that Redis answers with means to whoever has to mend it.
std::string in_plain_words(std::string error) {
    // It may repeat what it was sent, the password included.
    error.resize(std::min({error.size(), error.find(", with args"), kErrorBytesMax}));
    if (error.starts_with("WRONGPASS") || error.starts_with("ERR invalid password"))
        return "the user name or the password is wrong: look at REDIS_URL (" + error + ")";
    if (error.starts_with("NOAUTH"))
        return "Redis wants a password: write redis://user:password@host:port (" + error + ")";
    if (error.starts_with("NOPERM"))
        return "the Redis user may not do what is needed: allow it &dyad:* +@pubsub +@connection "
               "(" +
               error + ")";
    if (error.find("DB index") != std::string::npos || error.find("SELECT") != std::string::npos)
        return "there is no such database: correct the number at the end of REDIS_URL (" + error +
               ")";
    return "Redis refuses: " + error;
}

}  // namespace

std::int64_t reconnect_pause_ms(std::int64_t failures, std::int64_t ceiling_at, Random& random) {
    const double ceiling = limits::redis_reconnect_ms_max;
    double pause = ceiling;
    if (failures < ceiling_at)
        pause = kFirstPauseMs *
                std::pow(ceiling / kFirstPauseMs,
                         static_cast<double>(failures) / static_cast<double>(ceiling_at));
    const auto half = static_cast<std::int64_t>(pause / 2);
    return half + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(half) + 1));
}

RedisConnection::RedisConnection(net::Loop& loop, RedisServer& server, Random& random, Role role,
                                 Calls calls)
    : loop_(loop),
      server_(server),
      random_(random),
      role_(role),
      calls_(std::move(calls)),
      caller_(driver::Caller::make(
          [&loop](std::function<void()> work) { loop.post(std::move(work)); })) {}

RedisConnection::~RedisConnection() {
    CHECK(!taking_);
    caller_->close();
    if (check_timer_) loop_.cancel(*check_timer_);
    if (pause_timer_) loop_.cancel(*pause_timer_);
    close();
}

void RedisConnection::open() {
    check_timer_ = loop_.after(kCheckMs, [this] { check(); });
    caller_->post([this] { begin(); });
}

void RedisConnection::renew(const std::string& why) {
    caller_->post([this, why, attempt = attempt_] {
        if (attempt == attempt_ && state_ != State::waiting) give_up(why);
    });
}

void RedisConnection::begin() {
    pause_timer_.reset();
    state_ = State::resolving;
    since_ms_ = loop_.now_ms();
    attempt_ += 1;
    if (server_.tls && !server_.tls_context) return give_up(server_.tls_context.error().detail);
    const std::size_t number = endpoint_ % (server_.others.size() + 1);
    to_ = number == 0 ? Endpoint{server_.url.host, server_.url.port} : server_.others[number - 1];
    server_.resolver.resolve(
        caller_, to_.host, to_.port, [this, attempt = attempt_](Addresses addresses) {
            if (attempt != attempt_ || state_ != State::resolving) return;
            if (!addresses) return give_up(addresses.error().detail);
            if (addresses->empty()) return give_up("the name has no address");
            addresses_ = *std::move(addresses);
            // Each attempt begins with another one: the first may be deaf.
            std::rotate(addresses_.begin(), addresses_.begin() + failures_ % std::ssize(addresses_),
                        addresses_.end());
            std::reverse(addresses_.begin(), addresses_.end());
            connect_next();
        });
}

void RedisConnection::connect_next() {
    std::string problem;
    while (!addresses_.empty()) {
        const Address address = addresses_.back();
        addresses_.pop_back();
        fd_ = net::Fd(
            socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (fd_.valid() &&
            (::connect(fd_.get(), address.get(), address.size) == 0 || errno == EINPROGRESS)) {
            state_ = State::connecting;
            watched_ = EPOLLOUT;
            if (!loop_.add(fd_.get(), watched_, this)) loop_.fail_later(this);
            return;
        }
        problem = at(to_) + " cannot be reached (" + std::strerror(errno) + ")";
        fd_.reset();
    }
    give_up(problem + ": is Redis running there?");
}

void RedisConnection::on_connected() {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        loop_.remove(fd_.get(), this);
        fd_.reset();
        if (!addresses_.empty()) return connect_next();
        return give_up(at(to_) + " cannot be reached (" + std::strerror(error) +
                       "): is Redis running there?");
    }
    const int one = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    state_ = State::greeting;
    reader_.emplace();
    if (server_.tls) tls_ = std::make_unique<TlsSession>(server_.tls_context->get(), to_.host);
    watch(EPOLLIN);
    greet();
}

void RedisConnection::greet() {
    const RedisUrl& url = server_.url;
    const std::string_view user = url.user.empty() ? "default" : std::string_view(url.user);
    const OnReply then = [this](Reply&& reply) { on_hello(std::move(reply)); };
    if (url.password.empty())
        append_command(plain_, {"HELLO", "3", "SETNAME", "dyad-memory"});
    else
        append_command(plain_,
                       {"HELLO", "3", "AUTH", user, url.password, "SETNAME", "dyad-memory"});
    waiting_.push_back(then);
    flush();
}

void RedisConnection::on_hello(Reply&& reply) {
    knows_mode_ = false;
    if (reply.is_error()) {
        // It knows no greeting, no third version, or does not let this user greet.
        const bool old =
            reply.text.starts_with("ERR unknown command") || reply.text.starts_with("NOPROTO") ||
            (reply.text.starts_with("NOPERM") && reply.text.find("hello") != std::string::npos);
        return old ? log_in_plainly() : give_up(in_plain_words(reply.text));
    }
    for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
        if (reply.elements[i].text != "mode") continue;
        knows_mode_ = true;
        server_.is_cluster = reply.elements[i + 1].text == "cluster";
    }
    select_database();
}

void RedisConnection::greet_with(std::initializer_list<std::string_view> parts,
                                 void (RedisConnection::*next)()) {
    append_command(plain_, parts);
    waiting_.push_back([this, next](Reply&& reply) {
        reply.is_error() ? give_up(in_plain_words(reply.text)) : (this->*next)();
    });
}

void RedisConnection::log_in_plainly() {
    const RedisUrl& url = server_.url;
    constexpr auto next = &RedisConnection::select_database;
    if (url.password.empty()) return select_database();
    if (url.user.empty() || url.user == "default") return greet_with({"AUTH", url.password}, next);
    greet_with({"AUTH", url.user, url.password}, next);
}

void RedisConnection::select_database() {
    // Messages are of no database, but one that is not there is a mistake to tell of.
    if (server_.url.database == 0) return learn_cluster();
    greet_with({"SELECT", std::to_string(server_.url.database)}, &RedisConnection::learn_cluster);
}

// Elements: [first slot, last slot, [host, port, …] of the primary, and of each replica] …
void RedisConnection::learn_cluster() {
    // Where a password is wanted that was not given, this is what it takes to be told so.
    if (role_ == Role::listens || (knows_mode_ && !server_.is_cluster))
        return greet_with({"PING"}, &RedisConnection::on_greeted);
    append_command(plain_, {"CLUSTER", "SLOTS"});
    waiting_.push_back([this](Reply&& reply) {
        if (reply.is_error() && reply.text.starts_with("NOAUTH"))
            return give_up(in_plain_words(reply.text));
        server_.is_cluster = !reply.is_error();
        std::vector<Endpoint> found;
        for (const Reply& range : reply.elements) {
            for (std::size_t i = 2; i < range.elements.size(); ++i) {
                const std::vector<Reply>& node = range.elements[i].elements;
                if (node.size() < 2 || node[1].integer <= 0 || node[1].integer > UINT16_MAX)
                    continue;
                Endpoint one{node[0].text.empty() ? to_.host : node[0].text,
                             static_cast<std::uint16_t>(node[1].integer)};
                if (std::find(found.begin(), found.end(), one) == found.end())
                    found.push_back(std::move(one));
            }
        }
        if (!found.empty()) server_.others = std::move(found);
        on_greeted();
    });
}

void RedisConnection::on_greeted() {
    state_ = State::up;
    since_ms_ = loop_.now_ms();
    metrics::bus_connects.add();
    calls_.up();
}

void RedisConnection::on_ready(std::uint32_t epoll_events) {
    if (epoll_events == 0) return give_up("the system takes no more connections");
    if (state_ == State::connecting) return on_connected();
    if (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read();
    if (fd_.valid()) flush();
}

void RedisConnection::read() {
    for (int i = 0; i < kReadsPerTurn && fd_.valid(); ++i) {
        const std::span<char> buffer = loop_.receive_buffer();
        const net::IoResult got = net::receive_some(fd_.get(), buffer);
        if (got.state == net::Io::would_block) return;
        if (got.state == net::Io::closed)
            return give_up(state_ == State::greeting
                               ? "Redis at " + at(to_) +
                                     " closed the connection before it greeted; where it speaks "
                                     "TLS, write rediss:// instead of redis://"
                               : "Redis closed the connection");
        heard_ms_ = loop_.now_ms();
        if (const Status taken = take_bytes({buffer.data(), got.bytes}); !taken)
            return give_up(taken.error().detail);
        if (!given_up_.empty()) return give_up(std::exchange(given_up_, {}));
        if (got.bytes < buffer.size()) return;
    }
}

Status RedisConnection::take_bytes(std::string_view bytes) {
    std::string plain;
    if (tls_) {
        const Status received = tls_->receive(bytes, plain);
        tls_->take_output(wire_);
        TRY(received);
        bytes = plain;
    }
    taking_ = true;
    const Status fed = reader_->feed(bytes, [this](Reply&& reply) { on_reply(std::move(reply)); });
    taking_ = false;
    return fed;
}

void RedisConnection::on_reply(Reply&& reply) {
    if (!given_up_.empty()) return;
    const bool is_pong = pong_due_ && role_ == Role::listens &&
                         (reply.text == "PONG" || (reply.is_list() && !reply.elements.empty() &&
                                                   reply.elements.front().text == "pong"));
    if (is_pong) return on_pong(std::move(reply));
    if (role_ == Role::listens && state_ == State::up) {
        if (reply.is_list()) return calls_.push(std::move(reply));
        return give_up(reply.is_error() ? in_plain_words(reply.text)
                                        : "Redis answers what nobody asked");
    }
    if (reply.kind == Reply::Kind::push) return;  // about keys and such
    if (waiting_.empty()) return give_up("Redis answers what nobody asked");
    const OnReply then = std::move(waiting_.front());
    waiting_.pop_front();
    if (then) then(std::move(reply));
}

void RedisConnection::on_pong(Reply&& reply) {
    if (reply.is_error()) return give_up(in_plain_words(reply.text));
    pong_due_ = false;
    latency_us_ = std::chrono::duration_cast<std::chrono::microseconds>(
                      std::chrono::steady_clock::now() - pinged_at_)
                      .count();
}

bool RedisConnection::ask(std::span<const std::string_view> parts, OnReply on_reply) {
    std::size_t bytes = plain_.size() + wire_.size() - sent_;
    for (const std::string_view part : parts)
        bytes += part.size();
    if (state_ != State::up || bytes > static_cast<std::size_t>(limits::redis_output_bytes_max))
        return false;
    append_command_head(plain_, parts.size());
    for (const std::string_view part : parts)
        append_command_part(plain_, part);
    waiting_.push_back(std::move(on_reply));
    return true;
}

void RedisConnection::subscribe(std::string_view command,
                                const std::vector<std::string>& channels) {
    if (state_ != State::up || channels.empty()) return;
    append_command_head(plain_, channels.size() + 1);
    append_command_part(plain_, command);
    for (const std::string& channel : channels)
        append_command_part(plain_, channel);
    if (plain_.size() + wire_.size() > static_cast<std::size_t>(limits::redis_output_bytes_max))
        renew("Redis does not read what it is sent");
}

void RedisConnection::flush() {
    if (!fd_.valid() || state_ == State::connecting) return;
    if (tls_) {
        const Status sent = tls_->send(plain_);
        plain_.clear();
        tls_->take_output(wire_);
        if (!sent) return give_up(sent.error().detail);
    } else if (wire_.empty()) {
        wire_.swap(plain_);
    } else {
        wire_.append(plain_);
        plain_.clear();
    }
    while (sent_ < wire_.size()) {
        const iovec part{wire_.data() + sent_, wire_.size() - sent_};
        const net::IoResult sent = net::send_some(fd_.get(), std::span(&part, 1));
        if (sent.state == net::Io::closed) return give_up("Redis closed the connection");
        if (sent.state == net::Io::would_block) {
            wire_.erase(0, std::exchange(sent_, 0));
            return watch(EPOLLIN | EPOLLOUT);
        }
        sent_ += sent.bytes;
    }
    wire_.clear();
    sent_ = 0;
    watch(EPOLLIN);
}

void RedisConnection::watch(std::uint32_t epoll_events) {
    if (watched_ == epoll_events) return;
    watched_ = epoll_events;
    loop_.modify(fd_.get(), watched_, this);
}

void RedisConnection::give_up(std::string problem) {
    if (taking_) {
        given_up_ = std::move(problem);
        return;
    }
    close();
    state_ = State::waiting;
    attempt_ += 1;
    endpoint_ += 1;
    pause_timer_ = loop_.after(reconnect_pause_ms(failures_, server_.reconnect_attempts, random_),
                               [this] { begin(); });
    failures_ += 1;
    calls_.down(problem);
}

void RedisConnection::close() {
    if (fd_.valid()) loop_.remove(fd_.get(), this);
    fd_.reset();
    tls_.reset();
    reader_.reset();
    given_up_.clear();
    plain_.clear();
    wire_.clear();
    sent_ = 0;
    waiting_.clear();
    pong_due_ = false;
}

void RedisConnection::check() {
    check_timer_ = loop_.after(kCheckMs, [this] { check(); });
    const std::int64_t now = loop_.now_ms();
    if (state_ == State::waiting) return;
    if (state_ != State::up) {
        if (now - since_ms_ >= limits::redis_connect_ms)
            give_up(at(to_) +
                    (state_ == State::resolving ? " is a name that nobody answers for in time"
                     : tls_ ? " does not answer in time: where Redis does not speak TLS there, "
                              "write redis:// instead of rediss://"
                            : " does not answer in time: is Redis running there?"));
        return;
    }
    if (now - since_ms_ >= kSettledMs) failures_ = 0;
    if (pong_due_) {
        // Whoever is late with much to say is alive, but not for ever.
        const std::int64_t silent = now - std::max(heard_ms_, pinged_ms_);
        if (silent >= limits::redis_stall_ms || now - pinged_ms_ >= 5 * limits::redis_stall_ms)
            give_up("Redis does not answer any more");
        return;
    }
    if (now - pinged_ms_ < limits::redis_stall_ms) return;
    // One that is busy is asked, too: it shows how long an answer takes.
    pong_due_ = true;
    pinged_ms_ = now;
    pinged_at_ = std::chrono::steady_clock::now();
    append_command(plain_, {"PING"});
    if (role_ == Role::asks)
        waiting_.push_back([this](Reply&& reply) { on_pong(std::move(reply)); });
    flush();
}

}  // namespace dyad::bus
