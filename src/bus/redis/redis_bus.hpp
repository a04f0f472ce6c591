// The bus on Redis: two connections, one that listens and one that publishes.
//
// Nodes talk on channels of their own, signed with the secret of the store (node_message.hpp); what
// a turn has for a user is one message, and notes on sessions go at once. Existing instances hear
// envelopes on `dyad:event:<type>` (wire/bus_envelope.hpp), one for each event, where any of them
// listens: each publishing turn asks how many patterns are subscribed, and a few times a second
// whether somebody beside the nodes, who subscribe to all of these channels and to dyad:nodes at
// once, listens to one of them by name.
//
// On a Redis Cluster any node will do: what is published at one is heard at all (classic pub/sub;
// shards are not used). Who listens at other nodes it does not say, so envelopes are always sent.
//
// What Redis does not take is dropped: whoever follows a user finds it in the log.
//
// Lifetime: the loop outlives it. Threads: the loop's.
#pragma once

#include "bus/redis/node_message.hpp"
#include "bus/redis/redis_connection.hpp"
#include "wire/bus_envelope.hpp"

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dyad::bus {

struct RedisOptions {
    RedisUrl url;
    bool tls = false;     // also where the URL does not say it
    std::string ca_file;  // trusted beside the system's authorities; may be empty
    std::int64_t reconnect_attempts = 10;
    std::string instance_id;  // ours, in envelopes
};

class RedisBus final : public Bus {
  public:
    // Connects from the next turn on.
    RedisBus(net::Loop& loop, RedisOptions options, Random& random);
    ~RedisBus() override;

    // What the nodes of one store have in common and nobody else knows. Before it is known nothing
    // is told to nodes or taken from them.
    void set_secret(std::string secret);
    // Sends what was published since the last call: at the end of each turn. Where nobody calls it,
    // that happens in the next one.
    void flush();

    void publish(BusMessage message) override;
    void when_sent(std::function<void()> done) override;
    void follow(const std::string& user_id) override;
    void unfollow(const std::string& user_id) override;
    void renew() override;
    void set_receiver(std::function<void(const BusMessage&)> receive) override;
    // Both connections are there, and the nodes' channel is heard.
    bool connected() const override;
    BusHealth health() const override;

  private:
    struct Outgoing {
        std::string channel;
        std::string parts;
    };
    // Announcements whose envelopes wait for the answer to a question.
    struct Asked {
        std::uint64_t question;
        std::size_t bytes;
        std::vector<Announcement> announcements;
    };

    void on_up();
    void on_down(const std::string& problem);
    void on_push(Reply&& push);
    void on_message(const std::string& channel, const Reply& message);
    void on_envelope(std::string_view channel, const std::string& text);
    void hear(const BusMessage& message);
    void refuse(const std::string& channel, const std::string& why);
    void subscribe_all();
    void change_subscription(std::string_view command, const std::string& user_id);
    void send_subscriptions();
    void flush_soon();
    void send_outgoing();
    bool send(const std::string& channel, std::string_view parts,
              std::function<void()> taken = nullptr);
    void send_note(const SessionNote& note);
    void ask_who_listens();
    bool somebody_listens() const;
    void on_patterns(std::uint64_t question, std::int64_t patterns);
    void send_envelopes(const Announcement& announcement);
    void on_published(const Reply& reply);
    void tell_awaited();

    net::Loop& loop_;
    const std::string instance_id_;
    const NodeId sender_;  // in messages, to know our own
    const driver::CallerPtr caller_;
    RedisServer server_;
    RedisConnection publisher_;
    RedisConnection listener_;
    std::function<void(const BusMessage&)> receive_;
    std::string secret_;
    bool listening_ = false;  // the last of the common channels was confirmed
    bool told_up_ = false;    // in the program's log
    bool told_down_ = false;
    std::string problem_ = "Redis was not reached yet";
    std::string publish_problem_;

    std::unordered_map<std::string, std::string> followed_;  // channels by user
    std::unordered_map<std::string, std::string> users_;     // the other way round
    // What the turn wants to be (un)subscribed: one command for each run of the same.
    std::vector<std::pair<std::string_view, std::vector<std::string>>> subscriptions_;

    std::vector<Outgoing> outgoing_;                            // of this turn, in its order
    std::unordered_map<std::string, std::size_t> outgoing_of_;  // by user; "" for everybody
    std::vector<Announcement> announced_;                       // in this turn
    bool flush_posted_ = false;

    std::uint64_t notes_sent_ = 0;
    std::uint64_t notes_taken_ = 0;  // by Redis, or lost
    // Who waits for so many to be; who was told has a call that does nothing.
    std::deque<std::pair<std::uint64_t, std::shared_ptr<std::function<void()>>>> awaited_;

    std::deque<Asked> asked_;
    std::size_t asked_bytes_ = 0;
    std::uint64_t questions_ = 0;
    std::int64_t names_asked_ms_ = 0;
    bool pattern_listens_ = false;
    bool name_listens_ = false;
};

}  // namespace dyad::bus
