// raw_server epoll|cork PORT: the physical limit of a WebSocket broadcast, which keeps nothing.
// raw_server sync PORT FILE: that of durable acknowledgements, which delivers nothing.
//
// A room is a path; with `?pub` one only writes. `epoll` sends once per (message, listener), `cork`
// sends each listener once everything that one turn of the loop brought. `sync` writes what one
// turn brought to the file, syncs it, and sends each message back to who sent it; a hello, which
// the load driver begins with, is answered at once.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::size_t kConnectionsMax = 20000;
constexpr off_t kFileBytes = 64 << 20;

enum class Kind { epoll, cork, sync };

struct Room {
    std::vector<int> listeners;
    std::string output;
    bool dirty = false;
};

struct Connection {
    int fd = -1;
    Room* room = nullptr;  // null until it is upgraded
    bool listens = false;
    std::unique_ptr<std::string> rest;  // of its input: half a message
    std::string answers;                // of `sync`
};

// Where listeners do not keep up there is no limit left to measure.
void send_all(int fd, std::string_view bytes) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(bytes.size()) || errno == EPIPE || errno == ECONNRESET) return;
    std::fprintf(stderr, "raw_server: %zd of %zu bytes sent\n", sent, bytes.size());
    std::exit(9);
}

std::string accept_key(std::string_view key) {
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
    unsigned char encoded[32];
    const int size = EVP_EncodeBlock(encoded, digest, sizeof digest);
    return {reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size)};
}

void append_frame(std::string& out, std::string_view payload, const char* mask) {
    out.push_back(static_cast<char>(0x81));
    if (payload.size() < 126) {
        out.push_back(static_cast<char>(payload.size()));
    } else {
        out.push_back(126);
        out.push_back(static_cast<char>(payload.size() >> 8));
        out.push_back(static_cast<char>(payload.size() & 255));
    }
    const std::size_t at = out.size();
    out.append(payload);
    for (std::size_t i = 0; std::memcmp(mask, "\0\0\0\0", 4) != 0 && i < payload.size(); ++i)
        out[at + i] = static_cast<char>(out[at + i] ^ mask[i & 3]);
}

class Server {
  public:
    Server(Kind kind, int port, const char* file) : kind_(kind), connections_(kConnectionsMax) {
        if (kind == Kind::sync) open_file(file);
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        const int one = 1;
        setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            listen(listener_, 4096) != 0)
            fail("raw_server");
        epoll_ = epoll_create1(0);
        watch(listener_);
    }

    [[noreturn]] void run() {
        std::vector<epoll_event> events(1024);
        for (;;) {
            const int count =
                epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) {
                if (events[i].data.fd == listener_)
                    accept_all();
                else
                    read(events[i].data.fd);
            }
            if (kind_ == Kind::sync)
                sync();
            else
                flush();
        }
    }

  private:
    // As a journal has it: its bytes are there before the first one is written.
    void open_file(const char* name) {
        file_ = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
        const std::string zeros(1 << 20, '\0');
        for (off_t at = 0; at < kFileBytes; at += static_cast<off_t>(zeros.size()))
            if (pwrite(file_, zeros.data(), zeros.size(), at) < 0) fail(name);
        if (fsync(file_) != 0) fail(name);
    }

    [[noreturn]] static void fail(const char* what) {
        std::perror(what);
        std::exit(1);
    }

    void watch(int fd) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }

    void accept_all() {
        for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
            connections_[fd] = std::make_unique<Connection>();
            connections_[fd]->fd = fd;
            watch(fd);
        }
    }

    void read(int fd) {
        const ssize_t size = recv(fd, input_, sizeof input_, 0);
        if (size < 0 && errno == EAGAIN) return;
        Connection& connection = *connections_[fd];
        if (size > 0 && take(connection, {input_, static_cast<std::size_t>(size)})) return;
        if (connection.listens) std::erase(connection.room->listeners, fd);
        connections_[fd].reset();
        close(fd);
    }

    // False: the connection is over.
    bool take(Connection& connection, std::string_view bytes) {
        std::string joined;
        if (connection.rest) {
            joined = std::move(*connection.rest);
            connection.rest.reset();
            bytes = joined.append(bytes);
        }
        if (connection.room == nullptr && !upgrade(connection, bytes)) return false;
        while (connection.room != nullptr && bytes.size() >= 2) {
            std::size_t header = 2;
            std::size_t size = bytes[1] & 127;
            if (size == 127) return false;
            if (size == 126) {
                if (bytes.size() < 4) break;
                size = static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[2])) << 8 |
                       static_cast<std::uint8_t>(bytes[3]);
                header = 4;
            }
            if (bytes.size() < header + 4 + size) break;
            const int opcode = bytes[0] & 15;
            if (opcode == 8) return false;
            if (opcode < 3)
                message(connection, bytes.substr(header + 4, size), bytes.data() + header);
            bytes.remove_prefix(header + 4 + size);
        }
        if (!bytes.empty()) connection.rest = std::make_unique<std::string>(bytes);
        return true;
    }

    bool upgrade(Connection& connection, std::string_view& bytes) {
        const std::size_t end = bytes.find("\r\n\r\n");
        if (end == std::string_view::npos) return true;
        constexpr std::string_view kKey = "Sec-WebSocket-Key: ";
        const std::size_t key = bytes.find(kKey);
        if (key > end) return false;
        const std::size_t key_end = bytes.find("\r\n", key);
        std::string path(bytes.substr(4, bytes.find(' ', 4) - 4));
        const std::size_t query = path.find("?pub");
        connection.listens = query == std::string::npos;
        if (!connection.listens) path.resize(query);
        auto& room = rooms_[path];
        if (!room) room = std::make_unique<Room>();
        connection.room = room.get();
        if (connection.listens) room->listeners.push_back(connection.fd);
        send_all(connection.fd,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
                     accept_key(bytes.substr(key + kKey.size(), key_end - key - kKey.size())) +
                     "\r\n\r\n");
        bytes.remove_prefix(end + 4);
        return true;
    }

    void message(Connection& connection, std::string_view payload, const char* mask) {
        if (kind_ == Kind::sync) return keep(connection, payload, mask);
        Room& room = *connection.room;
        if (kind_ == Kind::epoll) {
            frame_.clear();
            append_frame(frame_, payload, mask);
            for (const int fd : room.listeners)
                send_all(fd, frame_);
            return;
        }
        append_frame(room.output, payload, mask);
        if (room.dirty) return;
        room.dirty = true;
        dirty_.push_back(&room);
    }

    void keep(Connection& connection, std::string_view payload, const char* mask) {
        if (payload.starts_with(R"({"type":"hello")")) {
            frame_.clear();
            append_frame(frame_, R"({"type":"caught-up","live":true})", "\0\0\0");
            return send_all(connection.fd, frame_);
        }
        if (connection.answers.empty()) waiting_.push_back(connection.fd);
        const std::size_t at = connection.answers.size();
        append_frame(connection.answers, payload, mask);
        record_.append(connection.answers, at);
    }

    void sync() {
        if (record_.empty()) return;
        const auto size = static_cast<off_t>(record_.size());
        if (written_ + size > kFileBytes) written_ = 0;
        if (pwrite(file_, record_.data(), record_.size(), written_) != size ||
            fdatasync(file_) != 0)
            fail("raw_server");
        written_ += size;
        record_.clear();
        for (const int fd : waiting_) {
            if (!connections_[fd]) continue;
            send_all(fd, connections_[fd]->answers);
            connections_[fd]->answers.clear();
        }
        waiting_.clear();
    }

    void flush() {
        for (Room* room : dirty_) {
            for (const int fd : room->listeners)
                send_all(fd, room->output);
            room->output.clear();
            room->dirty = false;
        }
        dirty_.clear();
    }

    const Kind kind_;
    int file_ = -1;
    off_t written_ = 0;
    std::string record_;        // of this turn
    std::vector<int> waiting_;  // for its sync
    int listener_ = -1;
    int epoll_ = -1;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::unordered_map<std::string, std::unique_ptr<Room>> rooms_;
    std::vector<Room*> dirty_;
    std::string frame_;
    char input_[1 << 16];
};

}  // namespace

int main(int count, char** words) {
    const std::string_view kind = count >= 3 ? words[1] : "";
    const bool syncs = kind == "sync";
    if ((kind != "epoll" && kind != "cork" && !syncs) || count != (syncs ? 4 : 3))
        return std::fprintf(stderr, "usage: raw_server epoll|cork PORT | sync PORT FILE\n"), 2;
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const auto server = std::make_unique<Server>(syncs            ? Kind::sync
                                                 : kind == "cork" ? Kind::cork
                                                                  : Kind::epoll,
                                                 std::atoi(words[2]), syncs ? words[3] : "");
    server->run();
}
