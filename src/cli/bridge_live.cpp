// `dyad-memory bridge` as it goes on: the events of the memory come in a thread of their own, which
// says what to look at; the main thread looks, waits for files to settle, and makes them one.
#include "base/mutex.hpp"
#include "cli/bridge/folder_watch.hpp"
#include "cli/bridge/text_file.hpp"
#include "cli/bridge_run.hpp"
#include "cli/event_source.hpp"
#include "cli/interrupt.hpp"
#include "cli/terminal.hpp"

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::int64_t kSettleMs = 250;  // a file that looks the same for so long is done
constexpr std::int64_t kLookMs = 2000;   // where no event comes: file systems without them
constexpr std::int64_t kSilenceMs = 45'000;
constexpr std::int64_t kPauseMaxMs = 5000;

// What the events say, until the main thread takes it. Threads: any.
class Mailbox {
  public:
    struct Content {
        std::set<std::string> keys;
        bool all = false;  // any of them may have changed
        bool connected = false;
        std::optional<Failure> refused;
    };

    Mailbox() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { CHECK(fd_ >= 0); }
    ~Mailbox() { ::close(fd_); }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    int fd() const noexcept { return fd_; }
    template <class Change>
    void post(const Change& change) EXCLUDES(mutex_) {
        {
            const MutexLock lock(mutex_);
            change(content_);
        }
        eventfd_write(fd_, 1);
    }
    // `connected` and `refused` stay.
    Content take() EXCLUDES(mutex_) {
        eventfd_t count = 0;
        eventfd_read(fd_, &count);
        const MutexLock lock(mutex_);
        Content out = content_;
        content_.keys.clear();
        content_.all = false;
        return out;
    }

  private:
    int fd_;
    Mutex mutex_;
    Content content_ GUARDED_BY(mutex_);
};

// Reads the stream until the interrupt, from where it broke off.
class Feed {
  public:
    Feed(const RestClient& client, const Interrupt& interrupt, Mailbox& mailbox)
        : client_(client), interrupt_(interrupt), mailbox_(mailbox) {}

    void run() {
        EventParser parser;
        for (std::int64_t pause_ms = 100; !interrupt_.asked();
             pause_ms = std::min(2 * pause_ms, kPauseMaxMs)) {
            parser.restart();
            ClientRequest request;
            request.target = "events?types=context-updated";
            request.headers = {{"Accept", "text/event-stream"}};
            if (!parser.last_id().empty())
                request.headers.emplace_back("Last-Event-ID", parser.last_id());
            request.interrupt = &interrupt_;
            request.for_reader = true;
            request.stream_type = "text/event-stream";
            request.silence_ms = kSilenceMs;
            bool connected = false;
            request.on_body = [&](std::string_view bytes) {
                pause_ms = 100;
                if (!std::exchange(connected, true))
                    mailbox_.post([](Mailbox::Content& content) { content.connected = true; });
                return parser.feed(bytes, [this](const ServerSentEvent& event) {
                    take(event);
                    return true;
                });
            };
            const Answer answer = client_.stream(std::move(request));
            const bool refused = answer.status != 0 && !answer.streamed &&
                                 (answer.status < 500 || answer.status > 504);
            mailbox_.post([&](Mailbox::Content& content) {
                content.connected = false;
                if (refused) content.refused = answer.failure.value_or(Failure{});
            });
            if (refused) return;
            interrupt_.sleep(pause_ms);
        }
    }

  private:
    void take(const ServerSentEvent& event) {
        if (event.type == "position" && std::exchange(begun_, true)) return;  // it went on
        if (event.type != "context-updated")
            return mailbox_.post([](Mailbox::Content& content) { content.all = true; });
        const Result<json::Value> value = parse_large(event.data);
        if (!value) return;
        mailbox_.post([&](Mailbox::Content& content) {
            content.keys.insert(text_at(*value, "data/context/contextKey"));
        });
    }

    RestClient client_;
    const Interrupt& interrupt_;
    Mailbox& mailbox_;
    bool begun_ = false;
};

// How a file and the one that shows its conflict look.
using Look = std::pair<std::optional<FileStamp>, std::optional<FileStamp>>;

class Keeper {
  public:
    Keeper(const RestClient& client, const Project& project, BridgeRun& run)
        : client_(client), project_(project), run_(run) {}

    Exit keep() {
        Feed feed(client_, interrupt_, mailbox_);
        std::thread reader([&feed] { feed.run(); });
        std::optional<Failure> refused;
        while (!interrupt_.asked() && !refused) {
            wait();
            refused = take();
            if (clock_.steady_ms() >= next_ms_ && !refused) look();
            flush_output();
        }
        reader.join();
        return refused ? client_.report(*refused) : Exit::ok;
    }

  private:
    struct Kept {
        std::optional<Look> seen, done;
        bool wanted = true;                            // the memory may have something new
        std::int64_t pause_ms = 0, not_before_ms = 0;  // where it has to wait
    };

    void look_in(std::int64_t ms) { next_ms_ = std::min(next_ms_, clock_.steady_ms() + ms); }

    void wait() {
        pollfd wake[] = {{interrupt_.fd(), POLLIN, 0},
                         {mailbox_.fd(), POLLIN, 0},
                         {STDOUT_FILENO, 0, 0},
                         {watch_.fd(), POLLIN, 0}};
        const std::int64_t ms = std::max<std::int64_t>(0, next_ms_ - clock_.steady_ms());
        poll(wake, std::size(wake), static_cast<int>(ms));
        if ((wake[3].revents & POLLIN) == 0) return;
        watch_.drain();
        look_in(kSettleMs);
    }

    std::optional<Failure> take() {
        const Mailbox::Content content = mailbox_.take();
        if (content.connected != std::exchange(connected_, content.connected)) {
            if (!client_.json())
                complain(paint(Colour::dim, connected_ ? "Connected."
                                                       : "The connection is lost; waiting for the "
                                                         "server…"));
            look_in(0);
        }
        all_ = all_ || content.all;
        if (all_) look_in(0);
        for (const std::string& key : content.keys) {
            if (!key.starts_with(project_.prefix())) continue;
            const auto file = project_.file(std::string_view(key).substr(project_.prefix().size()));
            if (!file) continue;
            kept_[file->name].wanted = true;
            look_in(0);
        }
        return content.refused;
    }

    void look() {
        next_ms_ = clock_.steady_ms() + kLookMs;
        if (all_ && connected_ && run_.meet()) {
            all_ = false;
            for (auto& [name, kept] : kept_)
                kept.wanted = true;
        }
        watch_.watch(project_.folders());
        for (const BridgedFile& file : run_.files())
            kept_.try_emplace(file.name);
        for (auto& [name, kept] : kept_)
            if (const auto file = project_.file(name)) look_at(*file, kept);
    }

    void look_at(const BridgedFile& file, Kept& kept) {
        const Look now(stamp_of(file.path), stamp_of(conflict_path(file)));
        const bool settled = kept.seen == now;
        kept.seen = now;
        if (kept.done == now && !kept.wanted) return;
        if (!settled) return look_in(kSettleMs);
        const std::int64_t wait_ms = kept.not_before_ms - clock_.steady_ms();
        if (!connected_ || all_ || interrupt_.asked()) return;
        if (wait_ms > 0) return look_in(wait_ms);
        const bool done = run_.sync(file);
        kept.wanted = !done;
        kept.pause_ms = done ? 0 : std::clamp(2 * kept.pause_ms, kSettleMs, kPauseMaxMs);
        kept.not_before_ms = clock_.steady_ms() + kept.pause_ms;
        if (done) kept.done = now;
        // What was written here looks otherwise now.
        look_in(std::max(kSettleMs, kept.pause_ms));
    }

    const RestClient& client_;
    const Project& project_;
    BridgeRun& run_;
    const Interrupt interrupt_;
    const SystemClock clock_;
    FolderWatch watch_;
    Mailbox mailbox_;
    std::map<std::string, Kept> kept_;
    std::int64_t next_ms_ = 0;
    bool connected_ = false;
    bool all_ = true;
};

}  // namespace

Exit keep_in_step(RestClient& client, const Project& project, BridgeRun& run) {
    return Keeper(client, project, run).keep();
}

}  // namespace dyad::cli
