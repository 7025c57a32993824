#include <fcntl.h>
#include <virtiofs/virtiofs.h>

/* A request is answered: put its chain into the guest's used ring. */
static void complete(void *vmm, struct virtiofs_queue *queue, void *cookie, uint32_t written,
		     uint32_t touched)
{
	(void)vmm, (void)queue, (void)cookie, (void)written, (void)touched;
}

static const struct virtiofs_host_ops host_ops = { .size = sizeof(host_ops), .complete = complete };

/* Share @directory; the queue that is given back belongs to the calling thread. */
int share(struct virtiofs_queue **queue, void *vmm, const char *directory)
{
	struct virtiofs_passthrough_options po = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct virtiofs_device_options options = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct virtiofs_device *dev;
	struct virtiofs_fs *fs;
	int root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	options.tag = "myfs";
	if (virtiofs_passthrough_create(&fs, NULL, root, &po) < 0 ||
	    virtiofs_device_create(&dev, NULL, &options, fs, &host_ops, vmm) < 0)
		return -1;
	*queue = virtiofs_device_queue(dev, 1); /* 0 is hiprio */
	return virtiofs_queue_attach(*queue, 0);
	/* For each chain: virtiofs_queue_submit(); then virtiofs_queue_run(). */
}
