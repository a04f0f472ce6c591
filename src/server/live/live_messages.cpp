// What the messages of a live client mean.
#include "auth/identity.hpp"
#include "base/bytes.hpp"
#include "base/hash64.hpp"
#include "base/limits.hpp"
#include "model/identity.hpp"
#include "server/live/live_hub.hpp"
#include "server/live/live_session.hpp"
#include "server/snapshot_stream.hpp"
#include "server/switches.hpp"
#include "wire/private_wish.hpp"

#include <numeric>
#include <utility>

namespace dyad::server::live {
namespace {

using wire::Message;
using wire::MessageType;

// Those that cannot be answered without knowing whose memory it is.
bool needs_user(MessageType type) {
    return type == MessageType::context_sync || type == MessageType::mode_update ||
           type == MessageType::state_request || type == MessageType::command;
}

Status check_instance(std::string_view id) {
    return check_name("instanceId", id, limits::instance_id_bytes_max, NameRule::identity);
}

}  // namespace

// Unique to the connection, and derived so that it need not be kept.
std::string LiveSession::client_id() const {
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    const std::uint64_t halves[2] = {hash64(hub_.cell().instance_id(), self + opened_ds_),
                                     hash64(hub_.cell().instance_id(), self ^ ~opened_ds_)};
    std::string hex =
        to_hex(std::span(reinterpret_cast<const std::uint8_t*>(halves), sizeof halves));
    hex[12] = '4';
    hex[16] = '8';
    for (const std::size_t at : {8U, 13U, 18U, 23U})
        hex.insert(at, 1, '-');
    return hex;
}

void LiveSession::greet() {
    wire::write_connect(output(), hub_.speaker(nullptr), hub_.new_id(), client_id());
}

bool LiveSession::on_message(net::Opcode opcode, std::string_view payload) {
    message_since_ds_ = 0;
    if (opcode == net::Opcode::binary) {
        end(1003, "messages are JSON texts");
        return false;
    }
    const Result<Message> message = hub_.decoder().envelope(payload, wire::Decoder::Bytes::utf8);
    if (message)
        handle(*message);
    else
        say_error(message.error(), {});
    return !ended_;
}

void LiveSession::handle(const Message& message) {
    if (message.type == MessageType::hello) return hello(message);
    if (negotiated_ && user_ == nullptr && message.type != MessageType::ping &&
        message.type != MessageType::pong)
        return say_and_end(fail(Errc::invalid_request, "hello comes first in dyad.v2"), message.id);
    if (message.type == MessageType::unknown)
        return say_error(fail(Errc::unknown_type, "type: there is no message of this type"),
                         message.id);
    if (const Status known = wire::Decoder::check_members(message); negotiated_ && !known) {
        keep_private(message);
        return say_error(known.error(), message.id);
    }
    if (!identify(message)) return;
    if (message.type == MessageType::context_sync || message.type == MessageType::mode_update ||
        message.type == MessageType::command)
        return command(message);
    if (const Status payload = hub_.decoder().check_payload(message); !payload)
        return say_error(payload.error(), message.id);
    if (message.type == MessageType::ping) pong(message);
    if (message.type == MessageType::state_request) state_request();
    if (message.type == MessageType::disconnect) end(1000, "good bye");
}

// Who registers by a ping takes the answer for the moment from which it hears of everything.
void LiveSession::pong(const Message& message) {
    const bool early = !negotiated_ && session_ != nullptr && !session_->ready;
    wire::write_pong(early ? owed().pongs : output(), hub_.speaker(user_), message.id,
                     message.payload);
}

// The user of a connection never changes. False: nothing more is to be done for this message.
bool LiveSession::identify(const Message& message) {
    if (user_ != nullptr) {
        if (message.user_id.empty() || message.user_id == user_->id) return is_of_instance(message);
        say_and_end(fail(Errc::forbidden_user,
                         "userId: this connection belongs to another user; open a new one"),
                    message.id);
        return false;
    }
    if (negotiated_) return true;
    if (message.user_id.empty() && message.instance_id.empty() && !needs_user(message.type))
        return true;
    return enter(message.user_id, message.instance_id, {});
}

// Whoever said hello speaks for that instance. A plain message is of the instance that it names, as
// existing servers take it: one connection may carry several, and hears what the first one may
// hear.
bool LiveSession::is_of_instance(const Message& message) {
    if (message.instance_id.empty() || message.instance_id == session_->instance_id) return true;
    if (!negotiated_) {
        const Status good = check_instance(message.instance_id);
        if (!good) {
            keep_private(message);
            say_error(good.error(), message.id);
        }
        return static_cast<bool>(good);
    }
    say_error(fail(Errc::invalid_field, "instanceId: this connection speaks for \"" +
                                            shown(session_->instance_id) +
                                            "\"; open another one for another instance"),
              message.id);
    return false;
}

// Unless its name is none.
std::string LiveSession::speaker_of(const Message& message) const {
    const bool named = !message.instance_id.empty() && check_instance(message.instance_id);
    return named ? std::string(message.instance_id) : session_->instance_id;
}

bool LiveSession::enter(std::string_view claimed_user, std::string_view instance_id,
                        core::SessionRequest request) {
    if (named_) {
        if (!claimed_user.empty() && !named_->user.empty() && claimed_user != named_->user) {
            say_and_end(fail(Errc::forbidden_user,
                             "userId: the handshake names another user (Dyad-User); send one of "
                             "the two, or open a new connection"),
                        {});
            return false;
        }
        if (negotiated_ && !named_->instance.empty() && instance_id != named_->instance) {
            say_error(fail(Errc::invalid_field,
                           "instanceId: the handshake names another one (Dyad-Instance); send one "
                           "of the two"),
                      {});
            return false;
        }
        if (claimed_user.empty()) claimed_user = named_->user;
        if (instance_id.empty()) instance_id = named_->instance;
    }
    const auto principal = auth::principal_of(claimed_user, hub_.cell().settings().user_id);
    if (!principal) {
        say_error(principal.error(), {});
        return false;
    }
    if (!instance_id.empty())
        if (const Status good = check_instance(instance_id); !good) {
            say_error(good.error(), {});
            return false;
        }
    user_ = hub_.enter(principal->user, negotiated_ ? this : nullptr);
    if (user_ == nullptr) {
        say_and_end(fail(Errc::limit_reached, "this user has too many connections"), {});
        return false;
    }
    request.user_id = user_->id;
    request.instance_id = instance_id.empty() ? client_id() : std::string(instance_id);
    request.dialect = negotiated_ ? core::Dialect::negotiated : core::Dialect::plain;
    std::function<void(Position)> ready;
    if (negotiated_)
        ready = [this](Position position) {
            if (ended_) return;
            wire::write_welcome(output(), hub_.speaker(user_), hub_.new_id(),
                                {.position = position,
                                 .heartbeat_ms = hub_.ping_interval_ms(),
                                 .stale_ms = hub_.stale_timeout_ms()});
            hub_.mark_catching_up(*this);
        };
    else
        ready = [this](Position) {
            if (!owed_ || owed_->pongs.empty()) return;
            say(std::exchange(owed_->pongs, {}));
            drop_owed();
        };
    session_ = hub_.engine().attach(std::move(request), *this, std::move(ready));
    return true;
}

void LiveSession::hello(const Message& message) {
    Result<wire::Hello> said =
        user_ == nullptr
            ? hub_.decoder().hello(message)
            : Result<wire::Hello>(fail(Errc::invalid_request, "hello comes first, and once"));
    if (!said) {
        say_error(said.error(), message.id);
        if (user_ == nullptr) end(4400, "hello was refused");
        return;
    }
    negotiated_ = true;
    core::SessionRequest request;
    request.resume = said->resume;
    // A token that is none is answered as one that is no longer known: with a reset.
    request.snapshot = said->snapshot || said->resume_refused;
    wants_snapshot_ = said->snapshot && !said->resume && !said->resume_refused;
    if (!enter(said->user_id.value_or(""), said->instance_id, std::move(request)))
        end(4400, "hello was refused");
}

void LiveSession::command(const Message& message) {
    std::string speaker = speaker_of(message);
    Result<Command> command = hub_.decoder().command(
        message, {.user_id = user_->id, .instance_id = speaker, .strict = negotiated_});
    if (!command) {
        keep_private(message);
        return say_error(command.error(), message.id);
    }
    if (command->operation_id.empty()) command->operation_id = hub_.new_id();
    if (speaker != session_->instance_id) command->via = session_->instance_id;
    command->instance_id = std::move(speaker);
    command->brief = !negotiated_;  // the plain protocol knows no acknowledgement
    const auto refuse = [&](const Error& error) {
        if (asks_for_privacy(*command)) keep_private(message);
        say_error(error, command->operation_id);
    };
    if (const Status valid = validate(*command); !valid) return refuse(valid.error());
    if (const Status on = check_switches(hub_.cell().settings(), *command); !on)
        return refuse(on.error());
    if (hub_.cell().draining())
        return refuse(fail(Errc::draining, "send it again, with the same id, elsewhere"));
    const Call call = begin_call(message.payload.size());
    hub_.engine().submit(session_, *std::move(command),
                         [this, call](const std::variant<Reply, Rejection>& reply) {
                             end_call(call);
                             answer(reply);
                         });
}

// Of a message that is refused: whoever may have asked for inspired mode by it is private.
void LiveSession::keep_private(const Message& message) {
    if (message.type != MessageType::mode_update && message.type != MessageType::command) return;
    const auto whom = wire::private_wish(message.payload, message.type == MessageType::mode_update
                                                              ? wire::Said::mode_update
                                                              : wire::Said::operation);
    if (whom && session_ != nullptr)
        hub_.engine().keep_private(user_->id, whom->empty() ? speaker_of(message) : *whom);
}

void LiveSession::answer(const std::variant<Reply, Rejection>& answer) {
    if (ended_) return;
    if (const auto* rejection = std::get_if<Rejection>(&answer)) {
        say_error(rejection->error, rejection->operation_id, rejection->current.get());
        return;
    }
    // The plain protocol knows no acknowledgement.
    if (negotiated_) wire::write_ack(output(), std::get<Reply>(answer));
}

void LiveSession::state_request() {
    std::deque<std::uint32_t>& states = owed().states;
    const bool first = states.empty();
    states.push_back(in_flight_ - std::accumulate(states.begin(), states.end(), 0U));
    states_asked_ += 1;
    if (first && !answer_states()) hub_.mark_asking(*this);
}

// One state is on its way at a time: however many are asked for, no more is kept for a client that
// does not read them.
bool LiveSession::answer_states() {
    while (owed_ && !owed_->states.empty() && !ended_) {
        if (streaming() || reading_state_ || owed_->states.front() > 0) return false;
        owed_->states.pop_front();
        drop_owed();
        reading_state_ = true;
        hub_.engine().snapshot(
            user_->id, [this](const Result<std::shared_ptr<const core::Snapshot>>& snapshot) {
                reading_state_ = false;
                if (ended_) return;
                if (snapshot)
                    start_stream(state_response(hub_.speaker(user_), hub_.new_id(), *snapshot));
                else
                    say_error(snapshot.error(), {});
            });
    }
    return true;
}

void LiveSession::say_and_end(const Error& error, std::string_view request_id) {
    say_error(error, request_id);
    end(error);
}

void LiveSession::say_error(const Error& error, std::string_view request_id,
                            const Context* current) {
    if (ended_) return;
    const std::string id =
        negotiated_ && !request_id.empty() ? std::string(request_id) : hub_.new_id();
    wire::write_error(output(), hub_.speaker(user_), id, error, request_id, current);
}

}  // namespace dyad::server::live
