#include "server/mcp/changes.hpp"

#include "base/limits.hpp"
#include "model/json_lexer.hpp"
#include "server/mcp/rpc.hpp"

#include <algorithm>

namespace dyad::server::mcp {

// Lifetime: the exchange's closures hold it until stop().
class ChangeStream final : public core::Peer,
                           public Beating,
                           public std::enable_shared_from_this<ChangeStream> {
  public:
    ChangeStream(Node& node, const Registry& registry, ExchangePtr exchange, Wishes wishes)
        : node_(node),
          registry_(registry),
          exchange_(std::move(exchange)),
          wishes_(std::move(wishes)),
          last_ms_(node.clock().steady_ms()) {}

    void start() {
        exchange_->begin_stream(std::string(kStreamType));
        exchange_->on_writable([self = shared_from_this()] { self->writable(); });
        exchange_->on_closed([self = shared_from_this()] { self->stop(); });
        open_ = true;
        if (!wishes_.resource) return acknowledge();
        core::SessionRequest request;
        request.user_id = wishes_.user;
        request.instance_id = wishes_.instance;
        request.listed = false;
        request.dialect = core::Dialect::negotiated;
        request.resume = wishes_.resume;
        session_ = node_.engine().attach(std::move(request), *this,
                                         [weak = weak_from_this()](Position position) {
                                             if (const auto self = weak.lock())
                                                 self->begin(position);
                                         });
    }

    bool deliver(Offset, Offset, const std::vector<std::string_view>& pieces) override {
        for (const std::string_view piece : pieces) {
            json::Lexer texts(piece);  // with commas between them
            do {
                std::string_view text;
                CHECK(texts.raw(text));
                note(text);
            } while (texts.take(','));
        }
        return !window_open_ ? flush() : true;
    }

    // What changed since is not known: everything may have.
    bool reset(std::shared_ptr<const core::Snapshot> snapshot) override {
        epoch_ = snapshot->position.epoch;
        for (const std::string& uri : wishes_.resources())
            changed_[uri] = snapshot->position;
        return flush();
    }

    // The heart may not be called from within: the session is taken from it in a turn of its own.
    void close(Errc) override {
        node_.after(0, [self = shared_from_this()] { self->stop(); });
        exchange_->end_stream();
    }

    void end() {
        stop();
        exchange_->end_stream();
    }

    bool listens() const noexcept { return !wishes_.methods.empty(); }
    void tell(std::string_view method) {
        if (open_ && acknowledged_ && wishes_.methods.contains(std::string(method)))
            say(notification(method, ""));
    }

    std::int64_t beat(std::int64_t now_ms) override {
        if (!open_) return kNoMore;
        if (now_ms - last_ms_ >= kKeepAliveMs) write(std::string(kKeepAlive));
        return last_ms_ + kKeepAliveMs;
    }

  private:
    // Only now: what is written from here on is told.
    void acknowledge() {
        acknowledged_ = true;
        if (!wishes_.first.empty()) say(wishes_.first);
    }

    void begin(Position position) {
        epoch_ = position.epoch;
        acknowledge();
        if (wishes_.subscription.empty())
            write("id: " + position.to_string() + (wishes_.primes ? "\ndata:\n\n" : "\n\n"));
    }

    std::string notification(std::string_view method, std::string_view uri) const {
        return request_text(method, json::written(128, [&](json::Writer& out) {
                                out.object([&] {
                                    if (!wishes_.subscription.empty())
                                        out.member("_meta").object(
                                            "io.modelcontextprotocol/subscriptionId",
                                            json::Raw{wishes_.subscription});
                                    if (!uri.empty()) out.member("uri", uri);
                                });
                            }));
    }

    void note(std::string_view text) {
        const Result<EventView> event = decode_event(text);
        CHECK(event.has_value());
        const std::string uri = registry_.changed_resource(*event);
        if (uri.empty() || !wishes_.resource(uri)) return;
        // The event's own text has the first bytes of its hash: {"offset":N,"hash":"<16 hex>"…
        const std::size_t at = text.find("\"hash\":\"") + 8;
        Position position{.epoch = epoch_, .offset = event->offset, .hash = {}};
        CHECK(read_hex(text.substr(at, 16), position.hash));
        changed_[uri] = position;
    }

    // Tells of everything that changed, each as of its last change: a client that goes away in
    // between is told of the rest when it comes back. False: the socket is full.
    bool flush() {
        if (changed_.empty()) return true;
        std::vector<std::pair<std::string, Position>> all(changed_.begin(), changed_.end());
        changed_.clear();
        std::sort(all.begin(), all.end(),
                  [](const auto& a, const auto& b) { return a.second.offset < b.second.offset; });
        std::string out;
        for (const auto& [uri, position] : all)
            append_event(out, notification("notifications/resources/updated", uri),
                         wishes_.subscription.empty() ? position.to_string() : std::string());
        window_open_ = true;
        node_.after(limits::mcp_resource_update_ms, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self) return;
            self->window_open_ = false;
            if (self->open_) self->flush();
        });
        return write(std::move(out));
    }

    void say(std::string_view text) {
        std::string out;
        append_event(out, text);
        write(std::move(out));
    }
    bool write(std::string bytes) {
        last_ms_ = node_.clock().steady_ms();
        return exchange_->write(std::move(bytes));
    }

    void writable() {
        const auto self = shared_from_this();
        if (session_ != nullptr) node_.engine().writable(session_);
    }

    // Also ends what the exchange and this object hold of each other.
    void stop() {
        open_ = false;
        if (const auto on_end = std::exchange(wishes_.on_end, nullptr)) on_end();
        exchange_->on_writable(nullptr);
        exchange_->on_closed(nullptr);
        if (session_ == nullptr) return;
        node_.engine().detach(std::exchange(session_, nullptr));
    }

    Node& node_;
    const Registry& registry_;
    ExchangePtr exchange_;
    Wishes wishes_;
    core::SessionId session_ = nullptr;
    Epoch epoch_ = 0;
    std::map<std::string, Position> changed_;  // not told yet
    bool window_open_ = false;                 // it told a moment ago
    bool open_ = false;
    bool acknowledged_ = false;
    std::int64_t last_ms_;  // steady: of the last byte
};

void Listeners::add(const std::shared_ptr<ChangeStream>& stream) {
    std::erase_if(all_, [](const auto& weak) { return weak.expired(); });
    all_.push_back(stream);
}

void Listeners::tell(std::string_view method) {
    for (const auto& weak : all_)
        if (const auto stream = weak.lock()) stream->tell(method);
}

std::function<void()> stream_changes(Node& node, Pulse& pulse, Listeners& listeners,
                                     const Registry& registry, ExchangePtr exchange,
                                     Wishes wishes) {
    const auto stream =
        std::make_shared<ChangeStream>(node, registry, std::move(exchange), std::move(wishes));
    stream->start();
    if (stream->listens()) listeners.add(stream);
    pulse.add(stream);
    return [weak = std::weak_ptr(stream)] {
        if (const auto open = weak.lock()) open->end();
    };
}

}  // namespace dyad::server::mcp
