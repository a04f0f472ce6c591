#include "sim/client.hpp"

#include "base/limits.hpp"
#include "sim/workload.hpp"
#include "sim/world.hpp"

#include <algorithm>

namespace dyad::sim {
namespace {

constexpr std::int64_t kMs = 1'000;
constexpr int kAttemptsMax = 12;  // of an operation whose client may lose patience

// The events of a negotiated message: JSON objects with commas between them.
std::vector<std::string> split_events(std::string_view text) {
    std::vector<std::string> events;
    std::size_t begin = 0;
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            if (depth++ == 0) begin = i;
        } else if (c == '}') {
            if (--depth == 0) events.emplace_back(text.substr(begin, i + 1 - begin));
        }
    }
    return events;
}

// The texts of plain frames; a frame that was made for another user stays as it is.
std::vector<std::string> split_frames(std::string_view piece, const std::string& user_id) {
    std::vector<std::string> events;
    const auto part = [&] {
        const auto bytes = take_le<std::uint32_t>(piece);
        return take_bytes(piece, bytes.value_or(0)).value_or("");
    };
    while (!piece.empty()) {
        const std::string_view user = part();
        const std::string_view text = part();
        events.push_back(user == user_id ? std::string(text) : "for " + std::string(user));
    }
    return events;
}

}  // namespace

Connection::Connection(World& world, Client& client, ProcessId process, Stream& stream,
                       std::size_t capacity)
    : world_(world), client_(&client), process_(process), stream_(stream), capacity_(capacity) {}

bool Connection::deliver(Offset first, Offset last, const std::vector<std::string_view>& pieces) {
    Stream::Events run{.first = first, .last = last, .texts = {}};
    std::size_t bytes = 0;
    for (const std::string_view piece : pieces) {
        bytes += piece.size();
        const bool plain = stream_.request.dialect == core::Dialect::plain;
        for (std::string& text :
             plain ? split_frames(piece, stream_.request.user_id) : split_events(piece))
            run.texts.push_back(std::move(text));
    }
    if (run.texts.size() > 1 && bytes > static_cast<std::size_t>(limits::output_held_bytes_max) * 2)
        world_.breach("a run of " + std::to_string(bytes) + " bytes was delivered at once");
    const EdgeFlaws& flaws = world_.scenario().edge_flaws;
    if (flaws.drops_when_full && capacity_ < 4 && on_the_way_ > 0) return true;
    if (stream_.request.resume && !std::exchange(has_delivered_, true) && !run.texts.empty()) {
        if (flaws.loses_first) run.texts.erase(run.texts.begin());
        if (flaws.repeats_first) run.texts.insert(run.texts.begin(), run.texts.front());
    }
    return carry(std::move(run));
}

bool Connection::reset(std::shared_ptr<const core::Snapshot> snapshot) {
    if (world_.scenario().edge_flaws.hurries_snapshots) {
        auto later = std::make_shared<core::Snapshot>(*snapshot);
        later->position.offset += 1;
        snapshot = std::move(later);
    }
    return carry(Stream::Reset{std::move(snapshot)});
}

void Connection::ready(Position position) {
    static_cast<void>(carry(Stream::Ready{position}));
}

bool Connection::carry(std::variant<Stream::Ready, Stream::Reset, Stream::Events> what) {
    const bool is_ready = std::holds_alternative<Stream::Ready>(what);
    if (blocked_ && !is_ready)
        world_.breach("something was delivered to a connection that is full");
    stream_.items.push_back({world_.queue().now_us(), what});
    const auto* run = std::get_if<Stream::Events>(&what);
    world_.tracing().note(
        run        ? "deliver"
        : is_ready ? "ready"
                   : "reset",
        run ? run->first : 0, run ? run->last : 0, [&] {
            return stream_.request.user_id + " " + stream_.request.instance_id +
                   (run ? " " + std::to_string(run->first) + ".." + std::to_string(run->last)
                        : std::string());
        });
    if (client_ == nullptr) {  // into a network that nobody is at the other end of
        on_the_way_ += 1;
        if (!is_ready) blocked_ = on_the_way_ >= capacity_;
        return !blocked_;
    }
    on_the_way_ += 1;
    // Small capacities are slow sockets.
    const std::int64_t base_us = capacity_ < 4 ? 20'000 : 500;
    EventQueue& queue = world_.queue();
    last_arrival_us_ = std::max(last_arrival_us_ + 1, queue.now_us() + base_us);
    queue.after(last_arrival_us_ - queue.now_us(),
                [self = shared_from_this(), what = std::move(what)] { self->arrived(what); });
    if (!is_ready) blocked_ = on_the_way_ >= capacity_;
    return !blocked_;
}

void Connection::arrived(const std::variant<Stream::Ready, Stream::Reset, Stream::Events>& what) {
    if (client_ == nullptr) return;
    on_the_way_ -= 1;
    std::visit([this](const auto& message) { client_->take(message); }, what);
    if (blocked_ && on_the_way_ < capacity_ && session != nullptr && world_.runs(process_)) {
        blocked_ = false;
        world_.node(process_.node).engine->writable(session);
    }
}

void Connection::close(Errc) {
    if (std::exchange(closing_, true)) return;
    world_.tracing().note("close", static_cast<std::uint64_t>(process_.node), 0,
                          [&] { return stream_.request.instance_id; });
    world_.after(1, [self = shared_from_this(), &world = world_] {
        Client* client = self->client_;
        world.detach(self);
        if (client != nullptr) client->lost_connection(0);
    });
}

Client::Client(World& world, std::string user_id, std::string instance_id, core::Dialect dialect,
               std::uint64_t seed, int first_id)
    : world_(world),
      user_id_(std::move(user_id)),
      instance_id_(std::move(instance_id)),
      dialect_(dialect),
      random_(seed),
      next_id_(first_id),
      left_(world.scenario().operations_per_client) {}

void Client::begin() {
    connect_later(random_.between(0, 200 * kMs));
    world_.after(random_.between(0, 300 * kMs), [this] { next_operation(); });
}

void Client::connect_later(std::int64_t delay_us) {
    if (connecting_) return;
    connecting_ = true;
    world_.after(delay_us, [this] {
        connecting_ = false;
        connect();
    });
}

void Client::connect() {
    if (connection_) return;
    const int node = world_.random_node(random_);
    if (!world_.node(node).alive()) {
        ++failures_;
        return connect_later(random_.between(5, 100) * kMs);
    }
    core::SessionRequest request{.user_id = user_id_,
                                 .instance_id = instance_id_,
                                 .dialect = dialect_,
                                 .resume = std::nullopt,
                                 .snapshot = false};
    if (dialect_ == core::Dialect::negotiated) {
        const std::int64_t way = random_.between(0, 9);
        start_ = way < 7 ? Start::snapshot : way < 9 ? Start::beginning : Start::end;
        if (has_position_)
            request.resume = position_;
        else if (start_ == Start::beginning)
            request.resume = Position{};
        else
            request.snapshot = start_ == Start::snapshot;
    }
    const bool slow = !world_.healed() && random_.chance(world_.scenario().slow_sockets);
    const std::size_t capacity = slow ? static_cast<std::size_t>(random_.between(1, 2)) : 1'000;
    connection_ = world_.attach(*this, node, request, capacity);
    world_.after(world_.hop_us(random_), [this, connection = connection_] {
        if (connection == connection_ && world_.runs(connection->process()) &&
            connection->session != nullptr)
            world_.node(connection->process().node).engine->seen(connection->session);
    });
}

void Client::lost_connection(std::int64_t noticed_us) {
    if (!connection_) return;
    connection_->abandon();
    connection_.reset();
    connect_later(noticed_us + random_.between(1, 100) * kMs);
}

void Client::disconnect(std::int64_t node_notices_us) {
    if (!connection_) return;
    const std::shared_ptr<Connection> connection = connection_;
    lost_connection(0);
    world_.after(node_notices_us, [this, connection] { world_.detach(connection); });
}

void Client::heal() {
    if (connection_)
        connection_->hurry();
    else
        connect_later(random_.between(1, 50) * kMs);
}

void Client::take(const Stream::Ready& ready) {
    if (dialect_ == core::Dialect::plain) {
        heard_ = ready.position.offset;
        return;
    }
    // A snapshot follows where the client asked for one, or cannot have what it asked for.
    if (has_position_ || start_ == Start::snapshot) return;
    if (start_ == Start::beginning && ready.position.offset != 0) return;
    has_position_ = true;
    position_ = ready.position;
    complete_ = position_.offset == 0;
}

void Client::take(const Stream::Reset& reset) {
    has_position_ = true;
    complete_ = true;
    position_ = reset.snapshot->position;
    heard_ = position_.offset;
    contexts_.clear();
    versions_.clear();
    conflicts_.clear();
    for (const ContextPtr& context : reset.snapshot->contexts) {
        contexts_[context->key] = {context->version, context->data};
        versions_[context->key] = context->version;
    }
    for (const Conflict& conflict : reset.snapshot->conflicts)
        conflicts_.push_back(conflict.id);
}

void Client::take(const Stream::Events& run) {
    for (const std::string& text : run.texts)
        apply(text);
}

void Client::apply(const std::string& text) {
    const Result<EventView> event = decode_event(text);
    if (!event) return world_.breach("a client was sent what is no event: " + text);
    const Result<Change> change = decode_change(*event);
    if (!change) return world_.breach("a client was sent an event without its content: " + text);
    if (dialect_ == core::Dialect::negotiated) {
        if (!has_position_) return world_.breach("a client was sent an event before its start");
        if (event->offset <= position_.offset) return;
        if (event->offset != position_.offset + 1)
            world_.breach(instance_id_ + " is at " + std::to_string(position_.offset) +
                          " and was sent " + std::to_string(event->offset));
        position_.offset = event->offset;
        const std::size_t at = text.find("\"hash\":\"") + 8;
        static_cast<void>(read_hex(std::string_view(text).substr(at, 16), position_.hash));
    }
    heard_ = std::max(heard_, event->offset);
    const auto* context = std::get_if<ContextChange>(&*change);
    if (context == nullptr) return;
    const Context& next = *context->context;
    versions_[next.key] = next.version;
    if (next.deleted)
        contexts_.erase(next.key);
    else
        contexts_[next.key] = {next.version, next.data};
    for (const Conflict& conflict : context->conflicts_opened)
        conflicts_.push_back(conflict.id);
    for (const std::string& id : context->conflicts_closed)
        std::erase(conflicts_, id);
}

void Client::next_operation() {
    if (left_ <= 0 || world_.healed() || !world_.may_write(user_id_)) return;
    int count =
        random_.chance(world_.scenario().bursts) ? static_cast<int>(random_.between(2, 6)) : 1;
    for (; count > 0 && left_ > 0; --count, --left_) {
        if (random_.chance(150)) read();
        Operation operation;
        operation.user_id = user_id_;
        const bool misuse =
            !acknowledged_.empty() && world_.scenario().restores == 0 && random_.chance(20);
        const Wish wish{.user_id = user_id_,
                        .instance_id = instance_id_,
                        .operation_id = misuse ? acknowledged_.back().operation_id
                                               : "op" + std::to_string(++next_id_),
                        .keys = world_.scenario().keys_per_user,
                        .expires_soon = random_.chance(world_.scenario().expiring),
                        .is_private = is_private_,
                        .claims = world_.scenario().claims,
                        .now_ms = world_.node(0).clock.wall_ms(),
                        .value = world_.new_value()};
        operation.command =
            draw_command(random_, wish, {contexts_, versions_, conflicts_, claims_});
        operation.misuse = misuse;
        if (misuse && operation.command.fingerprint() == acknowledged_.back().fingerprint())
            continue;
        operation.awaited = true;
        operation.invoked_us = kNever;
        world_.record().operations.push_back(std::move(operation));
        start_operation(world_.record().operations.size() - 1);
    }
    const std::int64_t mean_us =
        world_.scenario().active_us / (world_.scenario().operations_per_client + 1);
    world_.after(random_.between(1, 2 * mean_us), [this] { next_operation(); });
}

void Client::start_operation(std::size_t index) {
    ++open_;
    attempt(index, 1);
}

void Client::attempt(std::size_t index, int number) {
    current_[index] = number;
    const bool own_node = connection_ && random_.chance(800);
    const int node =
        world_.asked(own_node ? connection_->process().node : world_.random_node(random_));
    world_.after(world_.hop_us(random_),
                 [this, index, number, node] { submit(index, number, node); });
    const std::int64_t patience_us =
        world_.healed() ? 3'000 * kMs : random_.between(100, 2'000) * kMs;
    world_.after(patience_us, [this, index, number] {
        const auto at = current_.find(index);
        if (at == current_.end() || at->second != number) return;
        if (!world_.healed() && number >= kAttemptsMax) {  // its process gives up or is killed
            current_.erase(at);
            --open_;
            world_.record().operations[index].awaited = false;
            return;
        }
        attempt(index, number + 1);
    });
}

void Client::submit(std::size_t index, int number, int node_id) {
    Node& node = world_.node(node_id);
    Operation& operation = world_.record().operations[index];
    if (!node.alive()) return;
    operation.invoked_us = std::min(operation.invoked_us, world_.queue().now_us());
    operation.submissions += 1;
    const bool own =
        connection_ && connection_->process() == node.process && connection_->session != nullptr;
    operation.submitted.push_back({node.process, world_.queue().now_us(),
                                   ++world_.record().submissions,
                                   own ? &connection_->stream() : nullptr});
    const std::string name = instance_id_ + "/" + operation.command.operation_id;
    world_.tracing().note("submit", index, static_cast<std::uint64_t>(number), [&] {
        return name + " try " + std::to_string(number) + " at node " + std::to_string(node_id) +
               ": " + describe(operation.command);
    });
    const std::size_t call = world_.expect(node.process, name);
    const auto lost = !world_.healed() && random_.chance(world_.scenario().lost_answers);
    const std::int64_t back_us = world_.hop_us(random_);
    const auto done = [this, index, number, call, lost, back_us, process = node.process, name,
                       submission =
                           operation.submitted.size() - 1](std::variant<Reply, Rejection> result) {
        if (!world_.settle(call)) return world_.breach(name + " was answered twice");
        Answer answer{process, world_.queue().now_us(), std::move(result), submission};
        const auto* reply = std::get_if<Reply>(&answer.result);
        world_.tracing().note("answer", index, reply ? reply->position.offset : 0, [&] {
            return name + (reply ? " at offset " + std::to_string(reply->position.offset)
                                 : " " + std::get<Rejection>(answer.result).error.to_string());
        });
        world_.record().operations[index].answers.push_back(answer);
        if (!lost)
            world_.after(back_us, [this, index, number, answer = std::move(answer)] {
                answered(index, number, answer);
            });
    };
    Command command = operation.command;
    if (world_.scenario().edge_flaws.strips_conditions) {
        command.expected_version.reset();
        command.conditions = {};
    }
    if (world_.scenario().edge_flaws.strips_fences) command.fence.reset();
    if (auto* acquire = std::get_if<AcquireClaim>(&command.body);
        acquire != nullptr && world_.scenario().edge_flaws.strips_sessions)
        acquire->session.clear();
    if (own)
        node.engine->submit(connection_->session, std::move(command), done);
    else
        node.engine->submit(user_id_, std::move(command), done);
}

void Client::answered(std::size_t index, int number, const Answer& answer) {
    const auto at = current_.find(index);
    if (at == current_.end()) return;
    const auto* rejection = std::get_if<Rejection>(&answer.result);
    if (rejection != nullptr && error_row(rejection->error.code).retry) {
        if (at->second != number) return;
        at->second = number + 1;
        world_.after(random_.between(5, 100) * kMs, [this, index, number] {
            const auto again = current_.find(index);
            if (again != current_.end() && again->second == number + 1) attempt(index, number + 1);
        });
        return;
    }
    current_.erase(at);
    --open_;
    Operation& operation = world_.record().operations[index];
    operation.awaited = false;
    if (rejection != nullptr) return;
    const bool logged =
        std::get<Reply>(answer.result).result.find("\"ignored\"") == std::string::npos;
    if (!operation.misuse && logged) acknowledged_.push_back(operation.command);
    if (const auto* acquire = std::get_if<AcquireClaim>(&operation.command.body)) {
        const std::string& result = std::get<Reply>(answer.result).result;
        const std::size_t token = result.find("\"token\":");
        if (token == std::string::npos) return world_.breach("a claim was granted without a token");
        claims_[acquire->resource] = std::stoull(result.substr(token + 8));
    }
    if (const auto* set = std::get_if<SetMode>(&operation.command.body))
        is_private_ = set->mode == Mode::inspired;
}

void Client::read() {
    const int node_id = world_.asked(world_.random_node(random_));
    Node& node = world_.node(node_id);
    if (!node.alive()) return;
    Read read;
    read.user_id = user_id_;
    read.process = node.process;
    read.started_us = world_.queue().now_us();
    // Not by chance: every other one is of the latest state.
    switch (reads_++ % 4) {
        case 1:
            read.fresh = core::Freshness::at_hand();
            break;
        case 3:
            if (has_position_) read.fresh = core::Freshness::at_least(position_);
            break;
        default:
            break;
    }
    const EdgeFlaws& flaws = world_.scenario().edge_flaws;
    const core::Freshness asked = flaws.reads_at_hand ? core::Freshness::at_hand() : read.fresh;
    const std::size_t call = world_.expect(node.process, "a read of " + user_id_);
    const auto finish = [this, call, hides_age = flaws.hides_age](Read done, bool found) {
        if (!world_.settle(call)) return world_.breach("a read was answered twice");
        done.done_us = world_.queue().now_us();
        if (!hides_age) done.age_ms = world_.node(done.process.node).engine->age_ms(user_id_);
        if (found) world_.record().reads.push_back(std::move(done));
    };
    if (random_.chance(500)) {
        node.engine->snapshot(
            user_id_,
            [finish, read](Result<std::shared_ptr<const core::Snapshot>> result) {
                Read done = read;
                if (result) {
                    done.snapshot = *result;
                    done.position = (*result)->position;
                }
                finish(std::move(done), result.has_value());
            },
            asked);
        return;
    }
    read.key = "k" + std::to_string(random_.between(0, world_.scenario().keys_per_user - 1)) + "@" +
               user_id_ + "@";
    node.engine->context(
        user_id_, read.key,
        [finish, read](Result<ContextPtr> result, Position position) {
            Read done = read;
            done.position = position;
            if (result) done.context = *result;
            finish(std::move(done), result.has_value());
        },
        asked);
}

Replica Client::replica() const {
    return {.user_id = user_id_,
            .instance_id = instance_id_,
            .dialect = dialect_,
            .connected = connection_ != nullptr,
            .complete = complete_,
            .position = position_,
            .heard = heard_,
            .contexts = contexts_};
}

}  // namespace dyad::sim
