#include "bus/redis/redis_bus.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"

namespace dyad::bus {
namespace {

constexpr std::string_view kScope = "redis_event_bus";
constexpr std::string_view kEventPrefix = "dyad:event:";
constexpr std::int64_t kAskNamesMs = 250;
constexpr std::size_t kChannelsPerCommand = 1000;

// The channels that every node hears, in one command: so as many nodes hear the first as each of
// the others, and whoever hears more of these is none.
const std::vector<std::string>& common_channels() {
    static const std::vector<std::string> channels = [] {
        std::vector<std::string> all{std::string(kNodesChannel), std::string(kSessionsChannel)};
        for (const std::string_view name : kNamesOf<wire::EnvelopeType>)
            all.push_back(std::string(kEventPrefix).append(name));
        return all;
    }();
    return channels;
}

}  // namespace

RedisBus::RedisBus(net::Loop& loop, RedisOptions options, Random& random)
    : loop_(loop),
      instance_id_(std::move(options.instance_id)),
      sender_(random.next_u64()),
      caller_(driver::Caller::make(
          [&loop](std::function<void()> work) { loop.post(std::move(work)); })),
      server_{.url = options.url,
              .tls = options.tls || options.url.tls,
              .tls_context = options.tls || options.url.tls ? make_tls_context(options.ca_file)
                                                            : Result<TlsContext>(TlsContext()),
              .reconnect_attempts = options.reconnect_attempts},
      publisher_(loop, server_, random, RedisConnection::Role::asks,
                 {.up = [this] { on_up(); },
                  .down = [this](const std::string& problem) { on_down(problem); },
                  .push = {}}),
      listener_(loop, server_, random, RedisConnection::Role::listens,
                {.up =
                     [this] {
                         subscribe_all();
                         on_up();
                     },
                 .down =
                     [this](const std::string& problem) {
                         listening_ = false;
                         on_down(problem);
                     },
                 .push = [this](Reply&& push) { on_push(std::move(push)); }}) {
    publisher_.open();
    listener_.open();
}

RedisBus::~RedisBus() {
    caller_->close();
}

void RedisBus::set_secret(std::string secret) {
    CHECK(!secret.empty());
    secret_ = std::move(secret);
    users_.clear();
    for (auto& [user, channel] : followed_) {
        channel = log_channel(secret_, user);
        users_[channel] = user;
    }
    if (listener_.up()) subscribe_all();
}

void RedisBus::set_receiver(std::function<void(const BusMessage&)> receive) {
    receive_ = std::move(receive);
}

bool RedisBus::connected() const {
    return publisher_.up() && listener_.up() && listening_;
}

BusHealth RedisBus::health() const {
    BusHealth health;
    health.kind = "redis";
    health.connected = publisher_.up() && listener_.up();
    health.latency_us = publisher_.latency_us();
    health.problem = health.connected ? publish_problem_ : problem_;
    return health;
}

void RedisBus::on_up() {
    if (!publisher_.up() || !listener_.up()) return;
    publish_problem_.clear();
    if (!std::exchange(told_up_, true)) log::info(kScope, "Redis connected successfully");
    told_down_ = false;
}

void RedisBus::on_down(const std::string& problem) {
    problem_ = problem;
    told_up_ = false;
    if (!publisher_.up()) {
        pattern_listens_ = name_listens_ = false;
        names_asked_ms_ = 0;
        asked_.clear();
        asked_bytes_ = 0;
        notes_taken_ = notes_sent_;
        caller_->post([this] { tell_awaited(); });
    }
    if (!std::exchange(told_down_, true))
        log::warn(kScope, "Redis not connected: " + problem);
    else
        log::debug(kScope, "Redis not connected: " + problem);
}

// What is followed.

void RedisBus::follow(const std::string& user_id) {
    const auto [at, is_new] = followed_.try_emplace(user_id);
    if (!is_new || secret_.empty()) return;
    at->second = log_channel(secret_, user_id);
    users_[at->second] = user_id;
    change_subscription("SUBSCRIBE", user_id);
}

void RedisBus::unfollow(const std::string& user_id) {
    const auto at = followed_.find(user_id);
    if (at == followed_.end()) return;
    if (!secret_.empty()) change_subscription("UNSUBSCRIBE", user_id);
    users_.erase(at->second);
    followed_.erase(at);
}

void RedisBus::renew() {
    listening_ = false;
    listener_.renew("Redis does not send what is published: the subscriptions are had anew");
}

void RedisBus::change_subscription(std::string_view command, const std::string& user_id) {
    // One that is not up subscribes to everything once it is.
    if (!listener_.up()) return;
    if (subscriptions_.empty() || subscriptions_.back().first != command ||
        subscriptions_.back().second.size() >= kChannelsPerCommand)
        subscriptions_.emplace_back(command, std::vector<std::string>());
    subscriptions_.back().second.push_back(followed_.at(user_id));
    flush_soon();
}

void RedisBus::subscribe_all() {
    subscriptions_.clear();
    if (secret_.empty()) return;
    listening_ = false;
    listener_.subscribe("SUBSCRIBE", common_channels());
    for (const auto& [user, channel] : followed_)
        change_subscription("SUBSCRIBE", user);
    flush_soon();
}

void RedisBus::send_subscriptions() {
    for (const auto& [command, channels] : std::exchange(subscriptions_, {}))
        listener_.subscribe(command, channels);
    listener_.flush();
}

// What arrives.

void RedisBus::on_push(Reply&& push) {
    if (push.elements.size() < 3) return;
    const std::string& kind = push.elements[0].text;
    const std::string& channel = push.elements[1].text;
    if (kind == "message") return on_message(channel, push.elements[2]);
    if (kind != "subscribe") return;
    if (channel == common_channels().back()) listening_ = true;
    if (const auto at = users_.find(channel); at != users_.end())
        hear(Hint{.user_id = std::string(at->second), .subscribed = true});
}

void RedisBus::on_message(const std::string& channel, const Reply& message) {
    if (message.cut) return refuse(channel, "it is too large");
    if (channel.starts_with(kEventPrefix)) return on_envelope(channel, message.text);
    const auto user = users_.find(channel);
    const bool of_user = user != users_.end();
    const bool of_nodes = channel == kNodesChannel;
    if (!of_user && !of_nodes && channel != kSessionsChannel) return;  // not followed any more
    if (!of_nodes && sender_of(message.text) == sender_) return;
    const auto read = read_node_message(
        secret_, channel, of_user ? std::string_view(user->second) : "", message.text);
    if (!read) return refuse(channel, read.error().detail);
    metrics::bus_received.add(std::ssize(*read));
    for (const BusMessage& one : *read)
        hear(one);
}

void RedisBus::on_envelope(std::string_view channel, const std::string& text) {
    if (wire::is_marked_envelope(text)) return;
    Result<wire::Envelope> envelope = wire::read_bus_envelope(text);
    if (!envelope) return refuse(std::string(channel), envelope.error().detail);
    if (channel.substr(kEventPrefix.size()) != name_of(envelope->type))
        return refuse(std::string(channel), "eventType: is that of another channel");
    if (envelope->instance_id == instance_id_) return;
    if (envelope->type == wire::EnvelopeType::sync_request ||
        envelope->type == wire::EnvelopeType::sync_heartbeat)
        return;
    metrics::bus_foreign.add();
    std::optional<CommandBody> command;
    if (Result<CommandBody> read = wire::command_of(*envelope))
        command = *std::move(read);
    else
        log::debug(kScope, "A message on " + std::string(channel) +
                               " is taken for a hint alone: " + read.error().detail);
    hear(Foreign{.user_id = std::move(envelope->user_id),
                 .instance_id = std::move(envelope->instance_id),
                 .event_id = std::move(envelope->event_id),
                 .timestamp_ms = envelope->timestamp_ms,
                 .command = std::move(command)});
}

void RedisBus::refuse(const std::string& channel, const std::string& why) {
    metrics::bus_refused.add();
    log::debug(kScope, "A message on " + channel + " was dropped: " + why);
}

void RedisBus::hear(const BusMessage& message) {
    if (receive_) receive_(message);
}

// What is published.

void RedisBus::publish(BusMessage message) {
    if (secret_.empty() || !publisher_.up()) return metrics::bus_unsent.add();
    if (const auto* note = std::get_if<SessionNote>(&message)) return send_note(*note);
    const std::string* user = user_of(message);
    const std::string key = user != nullptr ? *user : std::string();
    auto* announcement = std::get_if<Announcement>(&message);
    std::string part;
    append_part(part, message);
    const std::size_t bytes_max = limits::bus_message_bytes_max;
    if (part.size() > bytes_max) {
        // Whoever follows the user looks into the log; nobody else is told so much of anything.
        part.clear();
        if (announcement == nullptr) return metrics::bus_unsent.add();
        append_part(part, Hint{key});
    }
    const auto at = outgoing_of_.find(key);
    if (at != outgoing_of_.end() && outgoing_[at->second].parts.size() + part.size() <= bytes_max) {
        outgoing_[at->second].parts.append(part);
    } else {
        outgoing_of_[key] = outgoing_.size();
        outgoing_.push_back(
            {user != nullptr ? log_channel(secret_, key) : std::string(kNodesChannel),
             std::move(part)});
    }
    if (announcement != nullptr) announced_.push_back(std::move(*announcement));
    flush_soon();
}

// At once: the session's next request may be on its way when this turn ends. Redis answers the
// publisher before it writes to subscribers, but the next question only after that.
void RedisBus::send_note(const SessionNote& note) {
    std::string part;
    append_part(part, note);
    if (part.size() > static_cast<std::size_t>(limits::bus_message_bytes_max))
        return metrics::bus_unsent.add();
    const auto taken = [this](Reply&&) {
        notes_taken_ += 1;
        tell_awaited();
    };
    notes_sent_ += send(std::string(kSessionsChannel), part, [this, taken] {
        if (!publisher_.ask({"PING"}, taken)) taken({});
    });
    publisher_.flush();
}

void RedisBus::when_sent(std::function<void()> done) {
    if (notes_taken_ == notes_sent_) return done();
    const auto one = std::make_shared<std::function<void()>>(std::move(done));
    awaited_.emplace_back(notes_sent_, one);
    loop_.after(limits::bus_sent_ms, [weak = std::weak_ptr(one)] {
        if (const auto waits = weak.lock()) std::exchange(*waits, [] {})();
    });
}

void RedisBus::tell_awaited() {
    while (!awaited_.empty() && awaited_.front().first <= notes_taken_) {
        const auto one = std::move(awaited_.front().second);
        awaited_.pop_front();
        std::exchange(*one, [] {})();
    }
}

void RedisBus::flush_soon() {
    if (std::exchange(flush_posted_, true)) return;
    caller_->post([this] {
        flush_posted_ = false;
        flush();
    });
}

void RedisBus::flush() {
    send_subscriptions();
    if (outgoing_.empty()) return;
    send_outgoing();
    if (!announced_.empty()) ask_who_listens();
    publisher_.flush();
}

void RedisBus::send_outgoing() {
    for (const Outgoing& one : outgoing_)
        send(one.channel, one.parts);
    outgoing_.clear();
    outgoing_of_.clear();
}

bool RedisBus::send(const std::string& channel, std::string_view parts,
                    std::function<void()> taken) {
    const bool sent = publisher_.ask({"PUBLISH", channel, sign(secret_, channel, sender_, parts)},
                                     [this, taken = std::move(taken)](Reply&& reply) {
                                         on_published(reply);
                                         if (taken) taken();
                                     });
    (sent ? metrics::bus_sent : metrics::bus_unsent).add();
    return sent;
}

void RedisBus::on_published(const Reply& reply) {
    if (!reply.is_error()) return;
    metrics::bus_unsent.add();
    if (publish_problem_.empty())
        log::warn(kScope, "Redis does not publish what it is given: " + reply.text);
    publish_problem_ =
        "Redis does not publish what it is given: allow its user +publish and the "
        "channels dyad:* (" +
        reply.text + ")";
}

void RedisBus::ask_who_listens() {
    std::vector<Announcement> announced = std::exchange(announced_, {});
    if (server_.is_cluster) pattern_listens_ = true;
    if (somebody_listens())
        for (const Announcement& one : announced)
            send_envelopes(one);
    if (server_.is_cluster) return;
    if (names_asked_ms_ == 0 || loop_.now_ms() - names_asked_ms_ >= kAskNamesMs) {
        names_asked_ms_ = loop_.now_ms();
        static const std::vector<std::string_view> question = [] {
            std::vector<std::string_view> parts{"PUBSUB", "NUMSUB"};
            parts.insert(parts.end(), common_channels().begin(), common_channels().end());
            return parts;
        }();
        publisher_.ask(question, [this](Reply&& reply) {
            name_listens_ = false;
            for (std::size_t i = 3; i < reply.elements.size(); i += 2)
                name_listens_ =
                    name_listens_ || reply.elements[i].integer > reply.elements[1].integer;
        });
    }
    questions_ += 1;
    const bool asked =
        publisher_.ask({"PUBSUB", "NUMPAT"}, [this, question = questions_](Reply&& reply) {
            // Where that may not be asked, somebody may listen.
            on_patterns(question, reply.is_error() ? 1 : reply.integer);
        });
    if (!asked || somebody_listens()) return;
    Asked waiting{questions_, 0, std::move(announced)};
    for (const Announcement& one : waiting.announcements)
        waiting.bytes += one.batch->texts.size();
    asked_bytes_ += waiting.bytes;
    asked_.push_back(std::move(waiting));
    for (; asked_bytes_ > static_cast<std::size_t>(limits::bus_envelopes_bytes_max);
         asked_.pop_front()) {
        asked_bytes_ -= asked_.front().bytes;
        metrics::bus_unsent.add();
    }
}

bool RedisBus::somebody_listens() const {
    return pattern_listens_ || name_listens_;
}

void RedisBus::on_patterns(std::uint64_t question, std::int64_t patterns) {
    pattern_listens_ = patterns > 0;
    // Where somebody listens what was asked later goes, too: nothing may overtake it.
    const bool send = somebody_listens();
    while (!asked_.empty() && (send || asked_.front().question <= question)) {
        if (send)
            for (const Announcement& one : asked_.front().announcements)
                send_envelopes(one);
        asked_bytes_ -= asked_.front().bytes;
        asked_.pop_front();
    }
}

void RedisBus::send_envelopes(const Announcement& announcement) {
    const EventBatch& batch = *announcement.batch;
    for (Offset offset = batch.first; offset <= batch.last(); ++offset) {
        const Result<EventView> event = decode_event(batch.text(offset));
        const Result<Change> change = event ? decode_change(*event) : event.error();
        if (!change) return refuse("an announcement of ours", change.error().detail);
        std::string text;
        const std::optional<wire::EnvelopeType> type =
            wire::write_bus_envelope(text, announcement.user_id,
                                     {.offset = offset,
                                      .hash = batch.entry(offset).hash,
                                      .timestamp_ms = event->timestamp_ms,
                                      .source_instance_id = event->source_instance_id},
                                     event->kind, *change);
        if (!type) continue;
        const std::string channel = std::string(kEventPrefix).append(name_of(*type));
        const bool sent = publisher_.ask({"PUBLISH", channel, text},
                                         [this](Reply&& reply) { on_published(reply); });
        (sent ? metrics::bus_envelopes : metrics::bus_unsent).add();
    }
}

}  // namespace dyad::bus
